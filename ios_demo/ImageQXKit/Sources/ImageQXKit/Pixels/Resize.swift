extension RGBPicture {
    /// Stretches a decoded photo with an antialiased triangle filter, bit for bit as `preprocess.stretch` does the upright
    /// one, and turns it upright last: what is turned is small then.
    ///
    /// Either pass rounds to 8 bits, which is why their order is part of the model's contract: the upright photo's rows
    /// come first. Of a photo that lies on its side, these are the stored one's columns.
    ///
    /// - Parameters:
    ///   - photo: The photo.
    ///   - width: The upright result's width.
    ///   - height: Its height.
    static func stretching(_ photo: DecodedPhoto, to width: Int, _ height: Int) -> RGBPicture {
        let (picture, orientation) = (photo.picture, photo.orientation)
        let (columns, rows) = orientation.swapsSides ? (height, width) : (width, height)
        let across = TriangleFilter(
            from: picture.width, covering: photo.coveredWidth, to: columns, mirrored: orientation.mirrorsColumns)
        let down = TriangleFilter(
            from: picture.height, covering: photo.coveredHeight, to: rows, mirrored: orientation.mirrorsRows)
        let sameWidth = columns == picture.width && photo.coveredWidth == Double(columns)
        let sameHeight = rows == picture.height && photo.coveredHeight == Double(rows)
        let small =
            switch (sameWidth, sameHeight) {
            case (true, true): picture
            case (true, false): picture.resizedColumns(down)
            case (false, true): picture.resizedRows(across, 0..<picture.height)
            case (false, false) where orientation.swapsSides:
                picture.resizedColumns(down).resizedRows(across, 0..<rows)
            case (false, false):
                // Rows that no output reads are left out, so the second filter's starts move up by them.
                picture.resizedRows(across, down.reach).resizedColumns(down, skipped: down.reach.lowerBound)
            }
        return small.turned(orientation)
    }

    /// Resizes each row in `rows`.
    private func resizedRows(_ filter: TriangleFilter, _ rows: Range<Int>) -> RGBPicture {
        let outputs = filter.starts.count
        let resized = [UInt8](unsafeUninitializedCapacity: rows.count * outputs * 3) { target, count in
            samples.withUnsafeBufferPointer { source in
                filter.weights.withUnsafeBufferPointer { weights in
                    for (line, row) in rows.enumerated() {
                        let from = source.baseAddress! + row * width * 3
                        let to = target.baseAddress! + line * outputs * 3
                        for output in 0..<outputs {
                            let start = from + filter.starts[output] * 3
                            let taps = weights.baseAddress! + output * filter.stride
                            weigh(start, taps, filter.counts[output], into: to + output * 3)
                        }
                    }
                }
            }
            count = rows.count * outputs * 3
        }
        return RGBPicture(width: outputs, height: rows.count, samples: resized)
    }

    /// Resizes each column; `skipped` rows above the first are missing in this picture.
    private func resizedColumns(_ filter: TriangleFilter, skipped: Int = 0) -> RGBPicture {
        let outputs = filter.starts.count
        let line = width * 3
        let resized = [UInt8](unsafeUninitializedCapacity: outputs * line) { target, count in
            // A row of sums instead of one sum a pixel: memory is read along its rows, and the loop vectorises.
            var sums = [Int32](repeating: 0, count: line)
            sums.withUnsafeMutableBufferPointer { sums in
                samples.withUnsafeBufferPointer { source in
                    for output in 0..<outputs {
                        for index in 0..<line { sums[index] = 1 << (TriangleFilter.fractionBits - 1) }
                        for tap in 0..<filter.counts[output] {
                            let weight = filter.weights[output * filter.stride + tap]
                            let row = source.baseAddress! + (filter.starts[output] - skipped + tap) * line
                            for index in 0..<line { sums[index] &+= weight &* Int32(row[index]) }
                        }
                        let to = target.baseAddress! + output * line
                        for index in 0..<line { to[index] = clip(sums[index]) }
                    }
                }
            }
            count = outputs * line
        }
        return RGBPicture(width: width, height: outputs, samples: resized)
    }
}

/// Writes the weighted mean of `count` neighbouring pixels.
@inline(__always)
private func weigh(
    _ pixels: UnsafePointer<UInt8>, _ weights: UnsafePointer<Int32>, _ count: Int,
    into target: UnsafeMutablePointer<UInt8>
) {
    let half: Int32 = 1 << (TriangleFilter.fractionBits - 1)
    var (red, green, blue) = (half, half, half)
    for tap in 0..<count {
        let weight = weights[tap]
        red &+= weight &* Int32(pixels[tap &* 3])
        green &+= weight &* Int32(pixels[tap &* 3 &+ 1])
        blue &+= weight &* Int32(pixels[tap &* 3 &+ 2])
    }
    target[0] = clip(red)
    target[1] = clip(green)
    target[2] = clip(blue)
}

/// Returns a sum in fixed point as a sample.
@inline(__always)
private func clip(_ sum: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: min(max(sum >> TriangleFilter.fractionBits, 0), 255))
}
