import CoreGraphics
import ImageQXKit
import SwiftUI

/// The pixels that the model saw, with the map of one reason, or with the bad parts of the frame marked.
///
/// The model sees the whole frame stretched to a square, and so does the person here: it is what was assessed.
struct AttentionView: View {
    let assessment: Assessment
    /// The reason that was chosen; nil: the worst.
    let reason: String?

    var body: some View {
        if let image = picture.makeImage() {
            Image(decorative: image, scale: 1)
                .resizable()
                .aspectRatio(1, contentMode: .fit)
                .overlay { marks }
                .accessibilityElement()
                .accessibilityLabel(label)
        }
    }

    private var shown: Reason? {
        let verdict = assessment.verdict
        return verdict.reasons.first { $0.name == reason } ?? (verdict.retake ? verdict.reasons.first : nil)
    }

    private var picture: RGBPicture {
        let peak = assessment.attention.flatMap(\.values).max() ?? 0
        guard let shown, let map = assessment.attention.first(where: { $0.reason == shown.name }) else {
            return assessment.pixels
        }
        return assessment.pixels.overlaid(with: map.scaled(by: peak))
    }

    private var label: Text {
        guard let shown else { return Text("result_photo") }
        return Text("result_photo_attention \(Words.reason(shown.name))")
    }

    private var marks: some View {
        GeometryReader { frame in
            ForEach(assessment.verdict.given.compactMap(\.region), id: \.name) { region in
                Rectangle()
                    .stroke(.yellow, lineWidth: 3)
                    .frame(width: frame.size.width * region.width, height: frame.size.height * region.height)
                    .position(
                        x: frame.size.width * (region.left + region.width / 2),
                        y: frame.size.height * (region.top + region.height / 2))
            }
        }
    }
}

extension RGBPicture {
    /// Returns the picture as the system draws it; nil if there is no memory.
    func makeImage() -> CGImage? {
        guard let space = CGColorSpace(name: CGColorSpace.sRGB),
            let provider = CGDataProvider(data: Data(samples) as CFData)
        else { return nil }
        return CGImage(
            width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 24, bytesPerRow: width * 3, space: space,
            bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.none.rawValue), provider: provider, decode: nil,
            shouldInterpolate: true, intent: .defaultIntent)
    }
}
