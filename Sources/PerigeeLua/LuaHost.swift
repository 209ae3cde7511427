/// JSON text in UTF-8.
public typealias Bytes = [UInt8]

/// What the host answers to a call of one of its functions, and what resumes a suspended one.
public enum LuaReply: Hashable, Sendable {
    /// JSON; the call returns it as a Lua value.
    case value(Bytes)
    /// The call returns nothing.
    case nothing
    /// A JSON object; it is raised as an error table.
    case failure(Bytes)
    /// A JSON object; it is raised as an error that the script can't catch.
    case cancellation(Bytes)
}

/// What a function of the host does.
public enum LuaCallResult: Hashable, Sendable {
    case reply(LuaReply)
    /// The script stops here; only functions whose name begins with `await_` may say so.
    case suspend
}

/// A place in a call's arguments where a secret's handle stood.
public struct SecretUse: Hashable, Sendable {
    /// The place, as a JSON pointer (RFC 6901) into the array of arguments.
    public var pointer: String
    /// The secret's name.
    public var name: String

    public init(pointer: String, name: String) {
        self.pointer = pointer
        self.name = name
    }
}

/// The host's side of a state: called on the thread that advances it, and never calls back into it.
public protocol LuaHost: AnyObject {
    /// Answers a call of one of the host's functions.
    ///
    /// - Parameters:
    ///   - function: its index in the names that the state was made with.
    ///   - arguments: the arguments as a JSON array; a secret stands there as the text `secret:NAME`.
    ///   - secrets: where those are.
    ///   - script: the innermost chunk that a person wrote.
    ///   - line: its line, from 1; 0 if there is none.
    func call(function: Int, arguments: Bytes, secrets: [SecretUse], script: String, line: Int)
        -> LuaCallResult

    /// The chunk of a module that a script requires, or of a piece of the stdlib (`stdlib/…`); `nil` for none.
    func module(_ name: String) -> LuaChunk?
}
