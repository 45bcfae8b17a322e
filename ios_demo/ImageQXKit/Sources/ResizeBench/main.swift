import CCountMalloc
import Foundation
import ImageQXKit

// Stretches a photo once for every line that comes in, and answers with the seconds of CPU and what it asked memory for:
// `resize-bench WIDTH HEIGHT ORIENTATION SAMPLES RESULT`; SAMPLES is a file of RGB bytes, and the pixels go to RESULT.
let words = CommandLine.arguments
let numbers = words.dropFirst().prefix(3).compactMap { Int($0) }
guard words.count == 6, numbers.count == 3 else {
    FileHandle.standardError.write(Data("usage: resize-bench WIDTH HEIGHT ORIENTATION SAMPLES RESULT\n".utf8))
    exit(2)
}

struct NoDecoder: PhotoDecoder {
    func decode(_ file: Data, keeping least: (width: Int, height: Int)) throws -> DecodedPhoto {
        fatalError("nothing is decoded here")
    }
}

func readCPU() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

let samples = [UInt8](try Data(contentsOf: URL(fileURLWithPath: words[4])))
let photo = DecodedPhoto(
    picture: RGBPicture(width: numbers[0], height: numbers[1], samples: samples),
    orientation: Orientation(exif: numbers[2]))
let preprocessor = Preprocessor(Preprocessing(), decoder: NoDecoder())
while readLine() != nil {
    let before = count_allocations()
    let begin = readCPU()
    let pixels = preprocessor.pixels(of: photo)
    let took = readCPU() - begin
    let after = count_allocations()
    try Data(pixels.samples).write(to: URL(fileURLWithPath: words[5]))
    let answer = "\(took) \(after.calls - before.calls) \(after.bytes - before.bytes)\n"
    FileHandle.standardOutput.write(Data(answer.utf8))
}
