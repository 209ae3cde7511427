import PerigeeTesting

/// Writes random Lua programs that end, and whose printed result the language decides.
///
/// What stock Lua leaves open is not printed: the order of keys (tables are shown sorted), addresses, the length of a
/// list with holes, how often a comparator is called.
struct ProgramGenerator {
    enum Kind: CaseIterable {
        case int, number, text, bool, list, map, object
    }

    private struct Variable {
        var name: String
        var kind: Kind
    }

    var random: SeededGenerator
    private var scopes: [[Variable]] = [[]]
    private var functions: [String] = []
    private var lines: [String] = []
    private var count = 0
    private var depth = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    /// The text of a function's body; it returns what was printed.
    ///
    /// - Parameter showsOrder: whether tables are shown in the order of `pairs`, objects as `tostring` has them and
    ///   lengths of lists with holes: what the sandbox decides and stock Lua does not.
    static func program(seed: UInt64, showsOrder: Bool) -> String {
        var generator = ProgramGenerator(seed: seed)
        for _ in 0..<Int.random(in: 6...14, using: &generator.random) { generator.statement() }
        let show = showsOrder ? ProgramGenerator.showAsItIs : ProgramGenerator.showSorted
        return "\(ProgramGenerator.opening)\n\(show)\n"
            + "local ok, problem = pcall(function()\n\(generator.lines.joined(separator: "\n"))\nend)\n"
            + "print(\"end\", ok, problem)\nreturn table.concat(out, \"\\n\")"
    }

    /// `step` ends what goes on for too long; `print` writes what is no plain character as a number.
    private static let opening = """
        local out, fuel, show = {}, 3000, nil
        local function plain(s) return (s:gsub("[^\\32-\\126]", function(c) return ("\\\\%03d"):format(c:byte()) end)) end
        local function print(...)
          if #out > 400 then return end
          local parts = table.pack(...)
          for i = 1, parts.n do parts[i] = plain(show(parts[i], 0)) end
          out[#out + 1] = table.concat(parts, " "):sub(1, 500)
        end
        local function step() fuel = fuel - 1 if fuel < 0 then error("fuel", 0) end end
        local function cut(s) return s:sub(1, 120) end
        local function fin(x) if x ~= x then return 0.25 end return x end
        local function low(n) return n % 7 end
        """

    private static let showSorted = """
        local function rank(k) return (type(k) == "number" and "1" or type(k) == "string" and "2" or "3") end
        local function before(a, b)
          if rank(a) ~= rank(b) then return rank(a) < rank(b) end
          if type(a) == "boolean" then return not a and b end
          return a < b
        end
        function show(v, level)
          if v ~= v then return "nan" end
          if type(v) == "number" then return math.type(v) .. ":" .. tostring(v) end
          if type(v) ~= "table" then return type(v) == "function" and "function" or tostring(v) end
          if level > 2 then return "…" end
          local keys, parts = {}, {}
          for k in next, v do keys[#keys + 1] = k end
          table.sort(keys, before)
          for i, k in ipairs(keys) do parts[i] = show(k, 3) .. "=" .. show(v[k], level + 1) end
          return "{" .. table.concat(parts, ",") .. "}"
        end
        """

    private static let showAsItIs = """
        function show(v, level)
          if v ~= v then return "nan" end
          if type(v) == "number" then return math.type(v) .. ":" .. tostring(v) end
          if type(v) ~= "table" or level > 2 then return tostring(v) end
          local parts = {}
          for k, x in pairs(v) do parts[#parts + 1] = show(k, 3) .. "=" .. show(x, level + 1) end
          return tostring(v):sub(1, 40) .. rawlen(v) .. "{" .. table.concat(parts, ",") .. "}"
        end
        """
}

// MARK: - Scopes

extension ProgramGenerator {
    mutating func chance(_ part: Int) -> Bool { Int.random(in: 1...part, using: &random) == 1 }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: 0..<values.count, using: &random)]
    }

    mutating func name() -> String {
        count += 1
        return "v\(count)"
    }

    mutating func write(_ line: String) { lines.append(line) }

    /// A variable in sight that holds such a value; `nil` if there is none.
    mutating func variable(_ kind: Kind) -> String? {
        let fitting = scopes.flatMap { $0 }.filter { $0.kind == kind }
        return fitting.randomElement(using: &random)?.name
    }

    mutating func declare(_ name: String, _ kind: Kind) {
        scopes[scopes.count - 1].append(Variable(name: name, kind: kind))
    }

    /// A function of one number and some more values that may fail; `nil` if there is none.
    mutating func function() -> String? { functions.randomElement(using: &random) }

    /// Writes statements in a scope of their own; functions made in it end with it.
    mutating func block(_ most: Int = 3) {
        let known = functions
        scopes.append([])
        depth += 1
        for _ in 0..<number(1...most) { statement() }
        depth -= 1
        scopes.removeLast()
        functions = known
    }

    mutating func define(_ name: String) { functions.append(name) }

    /// The statements of a block as text, for a function that stands in an expression.
    mutating func blockText(_ most: Int = 3) -> String {
        let before = lines
        lines = []
        block(most)
        let text = lines.joined(separator: " ")
        lines = before
        return text
    }

    var isDeep: Bool { depth >= 3 }
}
