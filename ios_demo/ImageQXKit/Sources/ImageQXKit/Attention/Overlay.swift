import Foundation

extension RGBPicture {
    /// Lays a map over the picture: clear where it is 0, red to yellow where it is high.
    ///
    /// The colours run along one path that also reads in grey, for colour-blind readers.
    ///
    /// - Parameter map: With values from 0 to 1; see ``AttentionMap/scaled(by:)``.
    public func overlaid(with map: AttentionMap) -> RGBPicture {
        let heat = map.enlarged(to: width, height)
        var mixed = samples
        for (pixel, value) in heat.enumerated() {
            let level = min(max(value, 0), 1)
            let colour: (Float, Float, Float) = (255, 255 * pow(level, 1.5), 40 * level)
            let clear = 1 - 0.7 * level
            mixed[3 * pixel] = blend(samples[3 * pixel], clear, colour.0, level)
            mixed[3 * pixel + 1] = blend(samples[3 * pixel + 1], clear, colour.1, level)
            mixed[3 * pixel + 2] = blend(samples[3 * pixel + 2], clear, colour.2, level)
        }
        return RGBPicture(width: width, height: height, samples: mixed)
    }
}

@inline(__always)
private func blend(_ sample: UInt8, _ clear: Float, _ colour: Float, _ level: Float) -> UInt8 {
    UInt8(min(max(Float(sample) * clear + colour * 0.7 * level, 0), 255))
}
