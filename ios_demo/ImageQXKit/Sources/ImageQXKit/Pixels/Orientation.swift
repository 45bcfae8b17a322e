/// How a photo must be turned to be upright, by EXIF's numbers.
public enum Orientation: Int, Sendable, CaseIterable {
    /// In EXIF's order, from 1 to 8, by the names that UIKit and ImageIO have for them.
    case up = 1
    case upMirrored, down, downMirrored, leftMirrored, right, rightMirrored, left

    /// Reads EXIF's number; nonsense counts as upright, as it does for viewers.
    public init(exif: Int?) {
        self = exif.flatMap(Self.init(rawValue:)) ?? .up
    }

    /// Whether the upright photo's rows are the stored one's columns.
    public var swapsSides: Bool { rawValue >= 5 }

    /// Whether the upright photo begins with the stored one's last column (or, on its side, shows it at the bottom).
    var mirrorsColumns: Bool { [.upMirrored, .down, .rightMirrored, .left].contains(self) }

    /// Whether the upright photo begins with the stored one's last row (or, on its side, shows it at the right).
    var mirrorsRows: Bool { [.down, .downMirrored, .right, .rightMirrored].contains(self) }
}

extension RGBPicture {
    /// Returns the picture turned upright.
    public func turned(_ orientation: Orientation) -> RGBPicture {
        guard orientation != .up else { return self }
        let (columns, rows) = orientation.swapsSides ? (height, width) : (width, height)
        let turned = [UInt8](unsafeUninitializedCapacity: samples.count) { target, count in
            for row in 0..<rows {
                for column in 0..<columns {
                    let (x, y) = source(of: column, row, orientation)
                    for channel in 0..<3 {
                        target[(row * columns + column) * 3 + channel] = samples[(y * width + x) * 3 + channel]
                    }
                }
            }
            count = samples.count
        }
        return RGBPicture(width: columns, height: rows, samples: turned)
    }

    /// Returns the stored pixel that an upright one comes from.
    private func source(of column: Int, _ row: Int, _ orientation: Orientation) -> (x: Int, y: Int) {
        switch orientation {
        case .up: (column, row)
        case .upMirrored: (width - 1 - column, row)
        case .down: (width - 1 - column, height - 1 - row)
        case .downMirrored: (column, height - 1 - row)
        case .leftMirrored: (row, column)
        case .right: (row, height - 1 - column)
        case .rightMirrored: (width - 1 - row, height - 1 - column)
        case .left: (width - 1 - row, column)
        }
    }
}
