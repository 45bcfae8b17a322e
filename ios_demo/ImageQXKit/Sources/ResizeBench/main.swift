import Foundation
import ImageQXKit

// Times 12 megapixels → the model's pixels: `resize-bench WIDTH HEIGHT RUNS < samples`, one line of seconds a run.
let words = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard words.count == 3 else {
    FileHandle.standardError.write(Data("usage: resize-bench WIDTH HEIGHT RUNS < samples\n".utf8))
    exit(2)
}
struct NoDecoder: PhotoDecoder {
    func decode(_ file: Data, keeping least: (width: Int, height: Int)) throws -> DecodedPhoto {
        fatalError("nothing is decoded here")
    }
}
let samples = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
let photo = DecodedPhoto(picture: RGBPicture(width: words[0], height: words[1], samples: samples))
let preprocessor = Preprocessor(Preprocessing(), decoder: NoDecoder())
for _ in 0..<words[2] {
    let begin = ContinuousClock.now
    let pixels = preprocessor.pixels(of: photo)
    let took = begin.duration(to: .now).components
    let sum = pixels.samples.reduce(0) { $0 &+ Int($1) }
    print(Double(took.seconds) + Double(took.attoseconds) * 1e-18, sum)
}
