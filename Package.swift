// swift-tools-version:6.2
// Every arrow between our targets stands here, and only here; an import without its arrow does not build.
import PackageDescription

let house: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let hummingbirdTesting: Target.Dependency = .product(name: "HummingbirdTesting", package: "hummingbird")
let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let compression: Target.Dependency = .product(name: "NIOHTTPCompression", package: "swift-nio-extras")
let structuredFields: Target.Dependency = .product(
    name: "RawStructuredFieldValues", package: "swift-http-structured-headers")
let certificates: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioTLS: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")

let package = Package(
    name: "perigee",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Perigee", targets: ["Perigee"]),
        .library(name: "PerigeeSQLite", targets: ["PerigeeSQLite"]),
        .library(name: "PerigeeHTTP", targets: ["PerigeeHTTP"]),
        .library(name: "PerigeeServer", targets: ["PerigeeServer"]),
        .library(name: "PerigeeTesting", targets: ["PerigeeTesting"]),
        .executable(name: "perigee", targets: ["PerigeeCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-http-structured-headers", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    ],
    targets: [
        .systemLibrary(
            name: "CLua", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"]), .brew(["lua"])]),
        .target(name: "CLuaShim", dependencies: ["CLua"], exclude: ["README.md"]),
        // Not by pkg-config: its flag -pthread is one that SwiftPM does not take from there.
        .target(name: "CRegex", exclude: ["README.md"], linkerSettings: [.linkedLibrary("re2")]),
        // Programs take it, libraries don't: whoever embeds them has a malloc of their own choice.
        .target(
            name: "CAllocator", dependencies: [sqlite],
            linkerSettings: [.linkedLibrary("jemalloc", .when(platforms: [.linux]))]),
        .target(name: "PerigeeLua", dependencies: ["CLuaShim"], swiftSettings: house),
        .target(name: "PerigeeJournal", swiftSettings: house),
        .target(name: "CSQLiteShim", dependencies: [sqlite]),
        .target(
            name: "PerigeeSQLite", dependencies: ["PerigeeJournal", "CSQLiteShim", grdb, sqlite],
            swiftSettings: house),
        .target(
            name: "Perigee",
            dependencies: [
                "PerigeeLua", "PerigeeJournal", "CRegex", lifecycle, crypto, logging, structuredFields,
            ],
            resources: [.embedInCode("stdlib"), .embedInCode("errors")], swiftSettings: house),
        .target(
            name: "PerigeeHTTP",
            dependencies: [
                "Perigee", "PerigeeJournal", httpClient, nio, nioPosix, nioHTTP, nioHTTP2, nioTLS,
                nioEmbedded,
                compression, certificates, asn1,
            ],
            swiftSettings: house),
        .target(name: "PerigeeTesting", dependencies: ["Perigee", "PerigeeJournal"], swiftSettings: house),
        .target(
            name: "PerigeeServer",
            dependencies: [
                "Perigee", "PerigeeJournal", hummingbird, mustache, crypto, logging, lifecycle, nio,
                httpTypes,
            ],
            resources: [.embedInCode("Templates"), .embedInCode("Assets")], swiftSettings: house),
        .executableTarget(
            name: "PerigeeCommand",
            dependencies: [
                "Perigee", "PerigeeJournal", "PerigeeSQLite", "PerigeeHTTP", "PerigeeTesting",
                "PerigeeServer", "PerigeeLua", "CAllocator",
                arguments, httpClient, logging, lifecycle, unixSignals, nio, nioPosix, nioHTTP,
            ], swiftSettings: house),
        .target(name: "CStockLua", dependencies: ["CLua"], path: "Tests/StockLua"),
        .target(
            name: "FaultyDisk", dependencies: [sqlite], path: "Tests/FaultyDisk", exclude: ["README.md"]),
        .testTarget(
            name: "LuaTests", dependencies: ["PerigeeLua", "PerigeeTesting", "CStockLua"],
            swiftSettings: house),
        .testTarget(
            name: "JournalTests",
            dependencies: ["PerigeeJournal", "PerigeeSQLite", "PerigeeTesting", "FaultyDisk", grdb],
            swiftSettings: house),
        .testTarget(
            name: "HTTPTests",
            dependencies: [
                "Perigee", "PerigeeJournal", "PerigeeHTTP", "PerigeeTesting", nio, nioPosix, nioTLS, crypto,
                certificates, asn1,
            ],
            swiftSettings: house),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Perigee", "PerigeeJournal", "PerigeeLua", "PerigeeSQLite", "PerigeeTesting", "FaultyDisk",
                crypto, logging,
            ],
            swiftSettings: house),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "Perigee", "PerigeeJournal", "PerigeeLua", "PerigeeSQLite", "PerigeeTesting", logging,
            ],
            swiftSettings: house),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "PerigeeServer", "Perigee", "PerigeeJournal", "PerigeeTesting", hummingbird,
                hummingbirdTesting,
                mustache,
                logging, nio,
                lifecycle, httpTypes,
            ], swiftSettings: house),
        .testTarget(
            name: "ScriptTests",
            dependencies: [
                "Perigee", "PerigeeHTTP", "PerigeeJournal", "PerigeeSQLite", "PerigeeTesting", lifecycle,
                logging,
            ],
            swiftSettings: house),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "PerigeeCommand", "PerigeeJournal", "PerigeeLua", hummingbird, httpClient, lifecycle, logging,
                nio, nioHTTP,
            ],
            swiftSettings: house),
        .testTarget(name: "HouseTests", swiftSettings: house),
    ],
    cxxLanguageStandard: .cxx17
)

// Built by dev/bench alone, so that nobody else waits for it.
if Context.environment["PERIGEE_BENCH"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "Perigee", "PerigeeJournal", "PerigeeLua", "PerigeeSQLite", "PerigeeHTTP", "PerigeeServer",
                "CStockLua", "CAllocator",
                hummingbird, lifecycle, logging, sqlite, httpClient, nio, nioPosix, nioHTTP,
            ],
            path: "Tests/Benchmarks", exclude: ["README.md", "peers", "thresholds.json"], swiftSettings: house
        ))
}
