import Foundation

/// Where the model looks for one reason: rows of numbers from 0, the photo's top first.
public struct AttentionMap: Equatable, Sendable {
    /// The reason that it belongs to.
    public let reason: String
    /// How many rows it has.
    public let rows: Int
    /// How many columns it has.
    public let columns: Int
    /// Its values, row by row; not normalised.
    public let values: [Float]

    /// Makes a map.
    ///
    /// - Precondition: There are `rows * columns` values.
    public init(reason: String, rows: Int, columns: Int, values: [Float]) {
        precondition(rows > 0 && columns > 0 && values.count == rows * columns, "values do not fit the size")
        (self.reason, self.rows, self.columns, self.values) = (reason, rows, columns, values)
    }

    /// Returns the map with its values as shares of `peak`; the maps of one photo share one scale, so that a weak map
    /// looks weak.
    ///
    /// - Parameter peak: The largest value of all maps of the photo.
    public func scaled(by peak: Float) -> AttentionMap {
        let top = max(peak, 1e-9)
        return AttentionMap(reason: reason, rows: rows, columns: columns, values: values.map { $0 / top })
    }

    /// Returns the map at a photo's size, by bicubic interpolation as Pillow computes it for floating-point pictures.
    public func enlarged(to width: Int, _ height: Int) -> [Float] {
        let across = CubicFilter(from: columns, to: width)
        let down = CubicFilter(from: rows, to: height)
        var lines = [Float](repeating: 0, count: rows * width)
        for row in 0..<rows {
            for column in 0..<width {
                lines[row * width + column] = across.sum(column) { values[row * columns + $0] }
            }
        }
        var enlarged = [Float](repeating: 0, count: height * width)
        for row in 0..<height {
            for column in 0..<width {
                enlarged[row * width + column] = down.sum(row) { lines[$0 * width + column] }
            }
        }
        return enlarged
    }
}

/// The coefficients of one bicubic pass; source: `precompute_coeffs` of Pillow's `Resample.c`, with a = −0.5.
private struct CubicFilter {
    private var starts = [Int](), weights = [[Double]]()

    init(from size: Int, to output: Int) {
        let scale = Double(size) / Double(output)
        let widened = max(scale, 1)
        let support = 2 * widened
        for index in 0..<output {
            let centre = (Double(index) + 0.5) * scale
            let first = max(Int(centre - support + 0.5), 0)
            let end = min(Int(centre + support + 0.5), size)
            let exact = (first..<end).map { Self.weigh((Double($0) - centre + 0.5) * (1 / widened)) }
            let sum = exact.reduce(0, +)
            starts.append(first)
            weights.append(sum == 0 ? exact : exact.map { $0 / sum })
        }
    }

    func sum(_ output: Int, of value: (Int) -> Float) -> Float {
        var sum = 0.0
        for (tap, weight) in weights[output].enumerated() { sum += Double(value(starts[output] + tap)) * weight }
        return Float(sum)
    }

    private static func weigh(_ distance: Double) -> Double {
        let x = abs(distance)
        let a = -0.5
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
        return 0
    }
}
