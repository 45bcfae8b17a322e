/// The second kind of answer: a photo is good or it is poor.
public struct BinaryDecision: Codable, Equatable, Sendable {
    /// The output that it is read from: the probability that the photo is good.
    public let output: String
    /// The probability from which it is good, in [0, 1].
    public internal(set) var threshold: Double
    /// What to tell the person where a photo is poor and no region stands out, in English.
    public let hint: String
    /// How many raters would call it good, or nil.
    public let ranks: Ranks?
    /// Which parts of the frame are good, or nil.
    public internal(set) var regions: Regions?
}

/// An output that says how many raters would call the photo good.
public struct Ranks: Codable, Equatable, Sendable {
    /// Its name; in column k the probability that more than k raters would.
    public let output: String
    /// How many raters there were.
    public let raters: Int
    /// How many of them make the photo good.
    public let goodWhenAtLeast: Int

    private enum CodingKeys: String, CodingKey {
        case output, raters
        case goodWhenAtLeast = "good_when_at_least"
    }
}

/// An output that says of each part of the frame whether it would be good on its own.
public struct Regions: Codable, Equatable, Sendable {
    /// Its name; per region the probability that it is good.
    public let output: String
    /// The probability below which a region is bad, in [0, 1].
    public internal(set) var threshold: Double
    /// The regions, in the order of the output's columns.
    public let parts: [Region]
}

/// A part of the frame, in fractions of it from the top left corner.
public struct Region: Codable, Equatable, Sendable {
    /// Such as `top_left`.
    public let name: String
    /// Of its left edge, in [0, 1].
    public let left: Double
    /// Of its upper edge, in [0, 1].
    public let top: Double
    /// Its share of the frame's width, in (0, 1].
    public let width: Double
    /// Its share of the frame's height, in (0, 1].
    public let height: Double
    /// What to tell the person who takes the photo where it is bad, in English.
    public let hint: String
}
