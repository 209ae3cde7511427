import Foundation
public import PerigeeJournal
import Synchronization

/// A script of the folder as it stands.
public struct WorkflowInfo: Sendable {
    /// The file's name without `.lua`.
    public var id: String
    /// The `name` that it declares.
    public var name: String?
    public var about: String?
    /// The version that new runs start on; `nil` if none was ever loaded.
    public var version: Int?
    /// The triggers as they are declared.
    public var triggers: [JSON]
    /// The input schema as it is declared.
    public var input: JSON?
    /// An input that the schema accepts, for trying the workflow out.
    public var sample: JSON?
    /// Why the file as it is now is not loaded; the version before it runs on.
    public var error: ScriptProblem?
    /// The file is gone: runs in flight go on, new ones do not start.
    public var isDeleted: Bool
}

/// The workflows of a scripts folder: which version of each new runs start on, kept up with the files.
final class ScriptRegistry: Sendable {
    fileprivate struct Entry {
        var version: WorkflowVersion?
        var script: LoadedScript?
        var problem: ScriptProblem?
        var isDeleted = false
        /// The texts that were looked at last, whether they could be loaded or not.
        var lastBundle: String?
    }

    fileprivate struct State {
        var entries: [String: Entry] = [:]
        /// What follows from the entries: what starts at what, and what new runs and those in flight are made of.
        var triggers = TriggerIndex([])
        var targets: [String: TriggerIndex.Target] = [:]
        var bundles: [String: CompiledBundle] = [:]
        var stamps: [String: FileStamp]?
        var isFolderMissing = false
    }

    fileprivate struct FileStamp: Equatable {
        var modified: Date
        var size: Int
    }

    private let folder: ScriptFolder
    private let loader: ScriptLoader
    private let journal: any Journal
    private let namespace: String
    private let ambient: any Ambient
    private let activity: ActivityHub
    private let state = Mutex(State())

    init(
        path: String, loader: ScriptLoader, journal: any Journal, namespace: String, ambient: any Ambient,
        activity: ActivityHub
    ) {
        folder = ScriptFolder(path: path)
        self.loader = loader
        self.journal = journal
        self.namespace = namespace
        self.ambient = ambient
        self.activity = activity
    }

    var path: String { folder.path }
    var folderExists: Bool { folder.workflows() != nil }
    var triggers: TriggerIndex { state.withLock { $0.triggers } }

    /// The version of a workflow that new runs start on.
    func target(_ workflow: String) -> TriggerIndex.Target? {
        state.withLock { $0.targets[workflow] }
    }

    /// The compiled texts of a bundle, if it is the newest of its workflow.
    func compiled(bundle: String) -> CompiledBundle? {
        state.withLock { $0.bundles[bundle] }
    }

    /// The newest version of a workflow with its texts.
    func newest(_ workflow: String) -> (version: WorkflowVersion, compiled: CompiledBundle)? {
        state.withLock { state in
            guard let entry = state.entries[workflow], let version = entry.version, let script = entry.script
            else { return nil }
            return (version, script.compiled)
        }
    }

    /// The workflows in order of their ids.
    var workflows: [WorkflowInfo] {
        state.withLock { state in
            state.entries.sorted { $0.key < $1.key }.map { id, entry in
                let definition = entry.script?.definition
                return WorkflowInfo(
                    id: id, name: definition?.name, about: definition?.about, version: entry.version?.number,
                    triggers: definition?.declaredTriggers ?? [], input: definition?.declaredInput,
                    sample: definition?.input?.sample, error: entry.problem, isDeleted: entry.isDeleted)
            }
        }
    }

    /// A version as it can be run.
    ///
    /// - Throws: ``ScriptProblem`` if it no longer can.
    func load(_ bundle: ScriptBundle) throws(ScriptProblem) -> LoadedScript {
        try loader.load(bundle)
    }

    // MARK: Keeping up with the folder

    /// Looks at the folder and loads what changed.
    ///
    /// - Returns: the workflows that have a new version.
    /// - Throws: ``JournalError`` if a new version can't be stored; it is tried again at the next look.
    @discardableResult
    func refresh() async throws -> [String] {
        guard let ids = folder.workflows() else {
            missingFolder()
            return []
        }
        let stamps = stamps()
        let isUnchanged = state.withLock { state in
            state.isFolderMissing = false
            return state.stamps == stamps
        }
        guard !isUnchanged else { return [] }
        var changed: [String] = []
        for id in ids where try await refresh(id) { changed.append(id) }
        for id in state.withLock({ Array($0.entries.keys) }) where !ids.contains(id) { delete(id) }
        state.withLock { $0.stamps = stamps }
        return changed
    }

    /// A folder that vanished says nothing about its scripts: everything stays as it was.
    private func missingFolder() {
        let isNew = state.withLock { state in
            defer { state.isFolderMissing = true }
            return !state.isFolderMissing
        }
        guard isNew else { return }
        activity.send(
            .scriptRefused(
                ScriptProblem(
                    code: "PG1017",
                    message: "The scripts folder \(folder.path) is gone; the versions before stay in force.",
                    hint: "Put the folder back; it is looked at again by itself.", file: folder.path),
                runningVersion: nil))
    }

    private func refresh(_ id: String) async throws -> Bool {
        let before = state.withLock { $0.entries[id] }
        let script: LoadedScript
        var bundleHash: String?
        do throws(ScriptProblem) {
            let bundle = try folder.bundle(workflow: id)
            bundleHash = bundle.hash
            guard bundle.hash != before?.lastBundle || before?.isDeleted == true else { return false }
            script = try loader.load(bundle)
        } catch {
            refuse(id, error, bundle: bundleHash)
            return false
        }
        let bundle = script.compiled.bundle
        let version = try await journal.saveVersion(
            namespace: namespace, workflow: id, bundle: bundle.hash, files: bundle.files,
            rules: script.definition.rules, now: ambient.now)
        state.withLock { state in
            state.entries[id] = Entry(version: version, script: script, lastBundle: bundle.hash)
            state.rebuildIndexes()
        }
        let (added, removed) = ScriptRegistry.changedLines(before?.script?.compiled.bundle, bundle)
        activity.send(
            .scriptLoaded(
                workflow: id, version: version.number, isFirst: before?.script == nil, addedLines: added,
                removedLines: removed))
        return before?.version?.number != version.number
    }

    private func refuse(_ id: String, _ problem: ScriptProblem, bundle: String?) {
        let running = state.withLock { state -> Int?? in
            var entry = state.entries[id] ?? Entry()
            guard entry.problem != problem || entry.lastBundle != bundle else { return nil }
            entry.problem = problem
            entry.lastBundle = bundle
            entry.isDeleted = false
            state.entries[id] = entry
            state.rebuildIndexes()
            return .some(entry.version?.number)
        }
        if let running { activity.send(.scriptRefused(problem, runningVersion: running)) }
    }

    private func delete(_ id: String) {
        let isNew = state.withLock { state in
            guard state.entries[id]?.isDeleted == false else { return false }
            state.entries[id]?.isDeleted = true
            state.entries[id]?.problem = nil
            state.rebuildIndexes()
            return true
        }
        if isNew { activity.send(.scriptDeleted(workflow: id)) }
    }

    /// Every Lua file of the folder, at most eight levels deep, with what tells that it was saved.
    private func stamps() -> [String: FileStamp] {
        let keys: [URLResourceKey] = [.contentModificationDateKey, .fileSizeKey, .isRegularFileKey]
        let root = URL(fileURLWithPath: folder.path).resolvingSymlinksInPath()
        var stamps: [String: FileStamp] = [:]
        guard let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: keys) else {
            return [:]
        }
        for case let file as URL in files {
            if files.level > 8 { files.skipDescendants() }
            guard file.pathExtension == "lua",
                let values = try? file.resolvingSymlinksInPath().resourceValues(forKeys: Set(keys))
            else { continue }
            stamps[file.path] = FileStamp(
                modified: values.contentModificationDate ?? .distantPast, size: values.fileSize ?? 0)
        }
        return stamps
    }

    private static func changedLines(_ old: ScriptBundle?, _ new: ScriptBundle) -> (added: Int, removed: Int)
    {
        guard let old else { return (0, 0) }
        var added = 0
        var removed = 0
        for path in Set(old.ownFiles.keys).union(new.ownFiles.keys) {
            let before = (old.files[path] ?? "").split(separator: "\n", omittingEmptySubsequences: false)
            let after = (new.files[path] ?? "").split(separator: "\n", omittingEmptySubsequences: false)
            let difference = after.difference(from: before)
            added += difference.insertions.count
            removed += difference.removals.count
        }
        return (added, removed)
    }
}

extension ScriptRegistry.State {
    mutating func rebuildIndexes() {
        targets = [:]
        bundles = [:]
        for (workflow, entry) in entries {
            guard let version = entry.version, let script = entry.script else { continue }
            bundles[version.bundle] = script.compiled
            if entry.isDeleted { continue }
            targets[workflow] = TriggerIndex.Target(version: version, definition: script.definition)
        }
        triggers = TriggerIndex(Array(targets.values))
    }
}

/// A script of a folder, as `perigee check` found it.
public struct CheckedScript: Sendable {
    /// The file's name without `.lua`.
    public var workflow: String
    /// The `name` that it declares.
    public var name: String?
    /// The triggers as they are declared.
    public var triggers: [JSON]
    /// Why it can't be loaded; `nil` if it can.
    public var problem: ScriptProblem?
}

/// Loads every script of a folder without a host.
public enum ScriptCheck {
    /// Loads every script and shows what is wrong.
    ///
    /// - Parameter folder: the path of the scripts folder.
    /// - Returns: the scripts in order of their names; `nil` if there is no such folder.
    public static func run(folder: String, settings: Settings = .environment()) -> [CheckedScript]? {
        let scripts = ScriptFolder(path: folder)
        let loader = ScriptLoader(limits: HostOptions().limits, settings: settings)
        return scripts.workflows()?.map { id in
            do throws(ScriptProblem) {
                let loaded = try loader.load(try scripts.bundle(workflow: id))
                return CheckedScript(
                    workflow: id, name: loaded.definition.name, triggers: loaded.definition.declaredTriggers,
                    problem: nil)
            } catch {
                return CheckedScript(workflow: id, name: nil, triggers: [], problem: error)
            }
        }
    }
}
