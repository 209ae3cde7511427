import CLuaShim

/// Which Lua this program was linked with.
public enum LuaRelease {
    /// Whether it is the hardened build of `dev/lua`, on which hostile scripts are safe.
    public static var isHardened: Bool { pg_is_hardened() != 0 }
}
