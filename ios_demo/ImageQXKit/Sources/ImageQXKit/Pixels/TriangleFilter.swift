/// The coefficients of one pass of Pillow's antialiased resize, in fixed point.
///
/// Source: `precompute_coeffs` and `normalize_coeffs_8bpc` of Pillow's `Resample.c`. The weights are computed in double
/// precision in the same order of operations, so that each rounds to the same integer.
struct TriangleFilter {
    /// How many bits of a coefficient lie behind the point.
    static let fractionBits: Int32 = 32 - 8 - 2

    /// How many source pixels an output may have at most; the stride of ``weights``.
    let stride: Int
    /// Per output, the first source pixel.
    let starts: [Int]
    /// Per output, how many source pixels it has.
    let counts: [Int]
    /// Per output and source pixel, the weight; what is not used is 0.
    let weights: [Int32]

    /// The source pixels that are read at all.
    var reach: Range<Int> {
        let ends = zip(starts, counts).map(+)
        return (starts.min() ?? 0)..<(ends.max() ?? 0)
    }

    /// Computes the filter.
    ///
    /// - Parameters:
    ///   - size: How many pixels the source has.
    ///   - covered: How many of them, from the first, the photo covers, perhaps with a fraction.
    ///   - output: How many pixels the output has.
    ///   - mirrored: Whether the upright photo begins with the source's last pixel: the filter is the upright photo's,
    ///     turned around, so that turning the small picture gives what stretching the turned photo would have given.
    init(from size: Int, covering covered: Double, to output: Int, mirrored: Bool = false) {
        let low = mirrored ? Float(Double(size) - covered) : 0
        let high = mirrored ? Float(size) : Float(covered)
        let scale = Double(high - low) / Double(output)
        let widened = max(scale, 1)
        stride = Int(widened.rounded(.up)) * 2 + 1
        var starts = [Int](repeating: 0, count: output)
        var counts = starts
        var weights = [Int32](repeating: 0, count: output * stride)
        var exact = [Double](repeating: 0, count: stride)
        for upright in 0..<output {
            let centre = Double(low) + (Double(upright) + 0.5) * scale
            let first = max(Int(centre - widened + 0.5), 0)
            let count = min(Int(centre + widened + 0.5), size) - first
            var sum = 0.0
            for tap in 0..<count {
                let distance = abs((Double(tap + first) - centre + 0.5) * (1 / widened))
                exact[tap] = distance < 1 ? 1 - distance : 0
                sum += exact[tap]
            }
            let index = mirrored ? output - 1 - upright : upright
            for tap in 0..<count {
                let weight = sum == 0 ? exact[tap] : exact[tap] / sum
                weights[index * stride + (mirrored ? count - 1 - tap : tap)] =
                    Int32(0.5 + weight * Double(1 << Self.fractionBits))
            }
            starts[index] = mirrored ? size - first - count : first
            counts[index] = count
        }
        (self.starts, self.counts, self.weights) = (starts, counts, weights)
    }
}
