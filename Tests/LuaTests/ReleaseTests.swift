@testable import PerigeeLua
import Testing

struct ReleaseTests {
    private func release(_ version: String, isHardened: Bool = false, isSound: Bool = true) -> LuaRelease {
        LuaRelease(
            ident: "$LuaVersion: Lua \(version)  Copyright (C) 1994-2026 Lua.org, PUC-Rio $$LuaAuthors: … $",
            isHardened: isHardened, isSound: { _ in isSound })
    }

    @Test func `the Lua of this process says which one it is`() {
        let lua = LuaRelease.linked
        #expect(lua.version.hasPrefix("5.4."))
        #expect(lua.name == "Lua \(lua.version)" + (lua.isHardened ? ", hardened" : " of the system"))
    }

    @Test func `the hardened Lua has no known defect`() {
        guard LuaRelease.linked.isHardened else { return }
        #expect(LuaRelease.linked.defects.isEmpty)
        #expect(LuaRelease.linked.warning == nil)
    }

    @Test(arguments: [("5.4.4", 5), ("5.4.6", 3), ("5.4.7", 2), ("5.4.8", 1), ("5.4.9", 0), ("5.4.10", 0)])
    func `defects that would end the process are known by the release`(version: String, count: Int) {
        let lua = release(version)
        #expect(lua.version == version)
        #expect(lua.defects.count(where: \.isUnsafe) == count)
        #expect(lua.warning?.contains("scripts that you trust") == (count > 0))
    }

    @Test func `wrong results are found by trying`() {
        let wrong = release("5.4.9", isHardened: true, isSound: false)
        #expect(wrong.defects.count == 5)
        #expect(wrong.defects.allSatisfy { !$0.isUnsafe })
        #expect(wrong.warning == "Lua 5.4.9, hardened has 5 known defects. `perigee doctor` tells more.")
        #expect(release("5.4.9", isHardened: true).warning == nil)
    }

    @Test func `an unknown release counts as the oldest`() {
        #expect(release("?").defects.count(where: \.isUnsafe) == 4)
    }
}
