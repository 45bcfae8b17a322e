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
                        resizeRow(from, filter, weights.baseAddress!, into: to)
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

/// Resizes one row.
///
/// Neighbouring outputs share most of their pixels, so each pixel is read once for both.
@inline(__always)
private func resizeRow(
    _ pixels: UnsafePointer<UInt8>, _ filter: TriangleFilter, _ weights: UnsafePointer<Int32>,
    into target: UnsafeMutablePointer<UInt8>
) {
    var (sums, place) = (PixelSums(), filter.starts[0])
    for output in 0..<filter.starts.count {
        let end = filter.starts[output] + filter.counts[output]
        // From the row's first pixel, which only those within reach are read from.
        let own = weights + (output * filter.stride - filter.starts[output])
        var following = PixelSums()
        if output + 1 < filter.starts.count {
            let next = filter.starts[output + 1]
            let others = weights + ((output + 1) * filter.stride - next)
            let both = max(place, next)
            sums.add(pixels, own, place, min(both, end))
            following.add(pixels, others, next, min(place, next + filter.counts[output + 1]))
            for pixel in both..<max(both, end) {
                let sample = pixels + pixel &* 3
                let (red, green, blue) = (Int32(sample[0]), Int32(sample[1]), Int32(sample[2]))
                sums.add(own[pixel], red, green, blue)
                following.add(others[pixel], red, green, blue)
            }
            place = max(end, next)
        } else {
            sums.add(pixels, own, place, end)
        }
        sums.write(target + output &* 3)
        sums = following
    }
}

/// The weighted sums of a pixel's three samples, in fixed point.
private struct PixelSums {
    private var red: Int32 = 1 << (TriangleFilter.fractionBits - 1)
    private var green: Int32 = 1 << (TriangleFilter.fractionBits - 1)
    private var blue: Int32 = 1 << (TriangleFilter.fractionBits - 1)

    @inline(__always)
    mutating func add(_ weight: Int32, _ red: Int32, _ green: Int32, _ blue: Int32) {
        self.red &+= weight &* red
        self.green &+= weight &* green
        self.blue &+= weight &* blue
    }

    /// Adds the pixels from `first` to before `end`; none where the end comes first.
    @inline(__always)
    mutating func add(_ pixels: UnsafePointer<UInt8>, _ weights: UnsafePointer<Int32>, _ first: Int, _ end: Int) {
        for pixel in first..<max(first, end) {
            let sample = pixels + pixel &* 3
            add(weights[pixel], Int32(sample[0]), Int32(sample[1]), Int32(sample[2]))
        }
    }

    @inline(__always)
    func write(_ target: UnsafeMutablePointer<UInt8>) {
        target[0] = clip(red)
        target[1] = clip(green)
        target[2] = clip(blue)
    }
}

/// Returns a sum in fixed point as a sample.
@inline(__always)
private func clip(_ sum: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: min(max(sum >> TriangleFilter.fractionBits, 0), 255))
}
