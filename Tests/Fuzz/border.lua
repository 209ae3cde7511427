-- One of the texts that chunks.c changes: it goes over the border in every way that there is.
local caught = {}
local function try(f, ...)
    local results = table.pack(pcall(f, ...))
    caught[#caught + 1] = results[1] or tostring(results[2])
    return table.unpack(results, 1, results.n)
end

-- What JSON can't hold, and what it can.
local loop = {}
loop.loop = loop
local refused = {
    loop, { 1, nil, 3 }, { 1, x = 2 }, { [1.5] = 1 }, { [7] = 1 }, { try }, { 0 / 0 }, { 1 / 0 }, { "\xff" },
    { ["\xff\0long" .. ("x"):rep(100)] = try }, { coroutine.create(try) }, { secret "TOKEN" },
}
for _, value in ipairs(refused) do
    try(encode, value)
    try(echo, value)
end
try(encode, ("x"):rep(300000))
local deep = {}
for _ = 1, 150 do deep = { deep } end
try(encode, deep)
echo({ auth = secret "TOKEN", list = { 1, secret "A_2" }, ["a/b~c"] = { secret "B" } }, secret "C", null, nil, 1e300)
try(echo, { ["a\0b"] = secret "TOKEN" })
try(secret, "not a name")
try(function() return "x" .. secret "TOKEN" end)
try(function() return #secret "TOKEN" end)
try(function() return secret("TOKEN").field end)
local shown = { secret "TOKEN", null, is_array(array {}), is_array(1) }
for i, value in ipairs(shown) do caught[#caught + 1] = i .. tostring(value) end
try(decode, 1)
try(decode, "[1,")
try(refuse)
errormeta { __tostring = function(e) return e.code or "none" end, __index = { kind = "own" } }
try(refuse)
try(load_piece, "piece")
try(load_piece, "piece")

-- Coroutines, in and out of order.
local co = coroutine.create(function(...) return coroutine.yield(await(...)) end)
try(coroutine.resume, co, "first")
try(coroutine.resume, co, "second")
try(coroutine.resume, co)
try(coroutine.resume, coroutine.running())
try(coroutine.close, coroutine.running())
try(coroutine.wrap(function() error("in wrap") end))
try(coroutine.wrap(function()
    local c <close> = setmetatable({}, { __close = function(_, e) await(e) error("in close", 0) end })
    error({})
end))
local held = coroutine.create(function()
    local c <close> = setmetatable({}, { __close = function() error("held") end })
    coroutine.yield(coroutine.isyieldable(), coroutine.running())
end)
try(coroutine.resume, held)
try(coroutine.close, held)
try(coroutine.yield, 1)
try(coroutine.resume, coroutine.create(function(...) return ... end), table.unpack({}, 1, 200))

-- Places that can and can't be left.
try(table.sort, { 3, 1, 2 }, function(a, b) await("sort") return a < b end)
try(string.gsub, "abc", ".", function(c) return await(c)[1] end)
try(string.gsub, "abc", ".", setmetatable({}, { __index = function(_, k) await(k) end }))
try(load, function() return await("load") end)
try(tostring, setmetatable({}, { __tostring = function() await("text") return "text" end }))
local ordered = setmetatable({}, { __pairs = function() await("pairs") return next, { 1 } end })
try(function() for _, v in pairs(ordered) do await(v) end end)
xpcall(error, function(e) await(e) end)

-- Modules.
try(require, "some.module")
try(require, "some.module")
try(require, "circle.a")
try(require, "error.module")
try(require, "nothing")
try(require, "waits")
try(require, "stdlib/prelude")
try(require, "")
try(load, "return ...", "=stdlib/own", "b")
try(load, "return x", "x", "t", { x = 1 })
try(setmetatable, {}, { __gc = true })
local function run(input) return { input, caught, await(input) } end
return { name = "border", caught = caught, list = array {}, run = run }
