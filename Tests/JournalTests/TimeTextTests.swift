import PerigeeJournal
import Testing

@Suite struct TimeTextTests {
    @Test(
        arguments: [
            ("90s", 90_000), ("15m", 900_000), ("48h", 172_800_000), ("3d", 259_200_000),
            ("2w", 1_209_600_000),
            ("1h30m", 5_400_000), ("1w2d3h4m5s6ms", 788_645_006), ("250ms", 250), ("0s", 0), ("007s", 7000),
            ("PT48H", 172_800_000), ("P3D", 259_200_000), ("P2W", 1_209_600_000), ("P1DT12H", 129_600_000),
            ("PT1H30M", 5_400_000), ("PT1M", 60_000), ("PT0S", 0), ("36500d", DurationText.longest),
        ] as [(String, Int64)])
    func `durations`(text: String, milliseconds: Int64) {
        #expect(DurationText.milliseconds(in: text) == milliseconds)
    }

    @Test(arguments: [
        "", "5", "s", "5 s", " 5s", "5s ", "-5s", "+5s", "1.5h", "5S", "5M", "5y", "5mo", "5min", "1m1h",
        "5s5s",
        "5s6", "P", "PT", "P1", "P1Y", "P1M", "P1H", "PT1D", "P1DT", "P1W1D", "P1D1W", "P1WT1H", "PT1S1M",
        "PT1.5H", "p1d", "36500d1ms", "36501d", "P36500DT1S", "9223372036854775807w", "99999999999999999999s",
        "１h", "1h\u{0}",
    ])
    func `what is no duration`(text: String) {
        #expect(DurationText.milliseconds(in: text) == nil)
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-21T02:37:00.000Z", 1_795_228_620_000),
            ("1985-04-12T23:20:50.52Z", 482_196_050_520), ("1996-12-19T16:39:57-08:00", 851_042_397_000),
            ("1996-12-19t16:39:57.5z", 851_013_597_500), ("1990-12-31T23:59:60Z", 662_688_000_000),
            ("1990-12-31T15:59:60-08:00", 662_688_000_000), ("1969-12-31T23:59:59.999Z", -1),
            ("2024-02-29T12:00:00.123456789+05:30", 1_709_188_200_123),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999), ("2000-02-29T00:00:00-00:00", 951_782_400_000),
        ] as [(String, Int64)])
    func `RFC 3339 times`(text: String, milliseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-11-21T02:37:00", "2026-11-21 02:37:00Z", "2026-11-21T02:37Z",
        "2026-1-21T02:37:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00Zx", " 2026-01-01T00:00:00Z", "+2026-01-01T00:00:00Z", "２026-01-01T00:00:00Z",
    ])
    func `what is no RFC 3339 time`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `a time that is written and read is the same time`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
            let time = Timestamp(milliseconds: .random(in: range, using: &random))
            #expect(Timestamp(rfc3339: time.description) == time, "\(time.milliseconds)")
        }
    }
}
