import PerigeeJournal

/// What a code of an error means, why it comes up and how to mend it: a page for the person who has the problem.
public struct ErrorPage: Hashable, Sendable {
    /// `PG` and four digits.
    public let code: String
    /// The meaning in one line.
    public let title: String
    /// The whole page with its title, in a plain form of Markdown: headings, paragraphs, lists and blocks of code.
    public let text: String

    /// The pages of all codes, in their order.
    public static let all = sources.compactMap(ErrorPage.init(source:)).sorted { $0.code < $1.code }

    private static let byCode = Dictionary(uniqueKeysWithValues: all.map { ($0.code, $0) })

    /// The page of a code; `nil` if there is none.
    ///
    /// - Parameter code: in letters of any size; the digits alone do too.
    public static func find(_ code: String) -> ErrorPage? {
        byCode[canonical(code)]
    }

    /// The code that somebody meant who wrote one that there is not; `nil` if none is near.
    public static func nearest(to code: String) -> String? {
        NearestName.of(canonical(code), among: byCode.keys)
    }

    private static func canonical(_ code: String) -> String {
        let isNumber = !code.isEmpty && code.utf8.allSatisfy { (0x30...0x39).contains($0) }
        return isNumber ? "PG" + code : code.uppercased()
    }

    /// Reads a page, which begins with `# CODE: title`.
    private init?(source: [UInt8]) {
        text = String(decoding: source, as: UTF8.self)
        let heading = text.prefix { $0 != "\n" }.drop { $0 == "#" || $0 == " " }
        guard let colon = heading.firstRange(of: ": ") else { return nil }
        code = String(heading[..<colon.lowerBound])
        title = String(heading[colon.upperBound...])
    }

    private static let sources: [[UInt8]] = [
        PackageResources.PG1000_md, PackageResources.PG1001_md, PackageResources.PG1002_md,
        PackageResources.PG1003_md, PackageResources.PG1004_md, PackageResources.PG1005_md,
        PackageResources.PG1006_md, PackageResources.PG1007_md, PackageResources.PG1008_md,
        PackageResources.PG1009_md, PackageResources.PG1010_md, PackageResources.PG1011_md,
        PackageResources.PG1012_md, PackageResources.PG1013_md, PackageResources.PG1014_md,
        PackageResources.PG1015_md, PackageResources.PG1016_md, PackageResources.PG1017_md,
        PackageResources.PG1020_md, PackageResources.PG1021_md, PackageResources.PG1030_md,
        PackageResources.PG1031_md, PackageResources.PG1040_md, PackageResources.PG1041_md,
        PackageResources.PG1050_md, PackageResources.PG1051_md, PackageResources.PG1052_md,
        PackageResources.PG1053_md, PackageResources.PG1054_md, PackageResources.PG1055_md,
        PackageResources.PG1056_md, PackageResources.PG1057_md, PackageResources.PG1058_md,
        PackageResources.PG1059_md, PackageResources.PG1060_md, PackageResources.PG1061_md,
        PackageResources.PG1062_md, PackageResources.PG1063_md, PackageResources.PG1064_md,
        PackageResources.PG1065_md, PackageResources.PG1066_md, PackageResources.PG1067_md,
        PackageResources.PG1068_md, PackageResources.PG1069_md, PackageResources.PG1070_md,
        PackageResources.PG1071_md, PackageResources.PG1072_md, PackageResources.PG1073_md,
        PackageResources.PG1074_md, PackageResources.PG1075_md, PackageResources.PG1076_md,
        PackageResources.PG1077_md, PackageResources.PG1078_md, PackageResources.PG1090_md,
        PackageResources.PG1091_md, PackageResources.PG1100_md, PackageResources.PG1101_md,
        PackageResources.PG1102_md, PackageResources.PG1103_md, PackageResources.PG1110_md,
        PackageResources.PG1111_md, PackageResources.PG1112_md, PackageResources.PG1113_md,
        PackageResources.PG1120_md, PackageResources.PG1121_md, PackageResources.PG1130_md,
        PackageResources.PG1131_md, PackageResources.PG1132_md, PackageResources.PG1133_md,
        PackageResources.PG1134_md, PackageResources.PG1135_md, PackageResources.PG1140_md,
        PackageResources.PG1141_md, PackageResources.PG1142_md, PackageResources.PG1144_md,
        PackageResources.PG2000_md, PackageResources.PG2001_md, PackageResources.PG2002_md,
        PackageResources.PG2003_md, PackageResources.PG2004_md, PackageResources.PG2005_md,
        PackageResources.PG2006_md, PackageResources.PG2007_md, PackageResources.PG2008_md,
        PackageResources.PG2009_md, PackageResources.PG2010_md, PackageResources.PG2011_md,
        PackageResources.PG2014_md, PackageResources.PG2015_md, PackageResources.PG2016_md,
        PackageResources.PG2020_md, PackageResources.PG2021_md, PackageResources.PG2022_md,
        PackageResources.PG2030_md, PackageResources.PG2031_md, PackageResources.PG2040_md,
        PackageResources.PG2050_md, PackageResources.PG2051_md, PackageResources.PG2052_md,
        PackageResources.PG2060_md, PackageResources.PG2061_md, PackageResources.PG2062_md,
        PackageResources.PG2100_md, PackageResources.PG2130_md, PackageResources.PG2131_md,
        PackageResources.PG2132_md, PackageResources.PG2133_md, PackageResources.PG2134_md,
        PackageResources.PG2135_md, PackageResources.PG2136_md, PackageResources.PG2160_md,
        PackageResources.PG2161_md, PackageResources.PG2162_md, PackageResources.PG2165_md,
        PackageResources.PG2170_md, PackageResources.PG2171_md, PackageResources.PG2172_md,
        PackageResources.PG2173_md, PackageResources.PG2180_md, PackageResources.PG2181_md,
        PackageResources.PG2182_md, PackageResources.PG2183_md, PackageResources.PG2184_md,
        PackageResources.PG2185_md, PackageResources.PG2190_md, PackageResources.PG2191_md,
        PackageResources.PG3001_md, PackageResources.PG3002_md, PackageResources.PG3003_md,
        PackageResources.PG3004_md, PackageResources.PG3010_md, PackageResources.PG3011_md,
        PackageResources.PG3012_md, PackageResources.PG3013_md, PackageResources.PG3014_md,
        PackageResources.PG3020_md, PackageResources.PG3070_md, PackageResources.PG3071_md,
        PackageResources.PG3072_md, PackageResources.PG3073_md, PackageResources.PG4000_md,
        PackageResources.PG4003_md, PackageResources.PG4004_md, PackageResources.PG4005_md,
        PackageResources.PG4006_md, PackageResources.PG4007_md, PackageResources.PG4008_md,
        PackageResources.PG4009_md, PackageResources.PG4010_md, PackageResources.PG4011_md,
        PackageResources.PG4012_md, PackageResources.PG4013_md, PackageResources.PG4014_md,
        PackageResources.PG4020_md, PackageResources.PG4022_md, PackageResources.PG4030_md,
        PackageResources.PG4031_md, PackageResources.PG4032_md, PackageResources.PG4040_md,
        PackageResources.PG4041_md, PackageResources.PG4042_md, PackageResources.PG4043_md,
        PackageResources.PG4044_md, PackageResources.PG4045_md, PackageResources.PG4046_md,
        PackageResources.PG4047_md, PackageResources.PG4050_md, PackageResources.PG4080_md,
        PackageResources.PG4110_md, PackageResources.PG4120_md, PackageResources.PG4121_md,
        PackageResources.PG4122_md, PackageResources.PG4130_md, PackageResources.PG4131_md,
        PackageResources.PG4132_md, PackageResources.PG4133_md, PackageResources.PG4134_md,
        PackageResources.PG4135_md, PackageResources.PG4136_md, PackageResources.PG4137_md,
        PackageResources.PG4138_md, PackageResources.PG4139_md, PackageResources.PG4140_md,
        PackageResources.PG4141_md, PackageResources.PG4142_md, PackageResources.PG4143_md,
        PackageResources.PG5000_md, PackageResources.PG5001_md, PackageResources.PG5002_md,
        PackageResources.PG5003_md, PackageResources.PG5004_md, PackageResources.PG5005_md,
        PackageResources.PG5030_md, PackageResources.PG5040_md, PackageResources.PG5041_md,
        PackageResources.PG5042_md, PackageResources.PG5043_md, PackageResources.PG5060_md,
        PackageResources.PG5061_md,
    ]
}
