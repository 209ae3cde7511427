import Testing

/// The rules are only as good as what reads the sources for them.
@Suite("The reader of sources")
struct ScannerTests {
    private func file(_ text: String, _ language: Language = .swift) -> SourceFile {
        SourceFile(path: "x", language: language, text: text)
    }

    @Test("takes comments and strings out, and keeps the lines and the code of interpolations")
    func scansSwift() {
        let text = """
            let a = "{ \\(b.map { "}" } ?? c) }" // {
            let d = #"\\(e) " {"# /* {
            } */ + 1
            """
        #expect(file(text).code == ["let a = b.map {  } ?? c ", "let d =  ", " + 1"])
    }

    @Test("reads Lua's and C's comments and strings")
    func scansOthers() {
        #expect(file("f('--') -- g\nh = [[ -- ]]", .lua).code == ["f() ", "h = "])
        #expect(file("case '\"': f(\"/*\"); // }", .c).code == ["case : f(); "])
    }

    @Test("counts the lines of functions, and passes over those without a body")
    func measuresSwift() {
        let text = """
            protocol P {
                func declared(_ a: Int) -> Int
            }
            struct S: P {
                public static func one(_ a: () -> Void = { }) { a() }
                init?(
                    a: Int
                ) {
                    if a > 0 { return nil }
                }
                let text = "func none() {"
            }
            """
        #expect(
            file(text).functions == [
                Function(name: "one", line: 4, lineCount: 1), Function(name: "init?", line: 5, lineCount: 5),
            ])
    }

    @Test("counts the lines of C functions, and no others")
    func measuresC() {
        let text = "struct s {\n  int a;\n};\nint f(int a) {\n  if (a) {\n  }\n  return 1;\n}\n"
        #expect(file(text, .c).functions == [Function(name: "int f", line: 3, lineCount: 5)])
    }
}
