#if canImport(CoreML)
    import CoreML
    import CoreVideo
    import Foundation

    /// A model that Core ML runs; one photo at a time, off the main thread.
    public actor CoreMLModel: QualityModel {
        /// What its inputs and outputs mean, as the model itself says.
        public nonisolated let spec: ModelSpec
        private let model: MLModel

        /// Loads a compiled model.
        ///
        /// - Parameters:
        ///   - compiled: An `.mlmodelc`; see ``compile(_:into:)`` for an `.mlpackage`.
        ///   - units: Where it may run.
        /// - Throws: ``ImageQXError``.
        public init(compiled: URL, units: ComputeUnits) async throws {
            let configuration = MLModelConfiguration()
            configuration.computeUnits = units == .all ? .all : .cpuOnly
            let loaded: MLModel
            do {
                loaded = try MLModel(contentsOf: compiled, configuration: configuration)
            } catch {
                throw ImageQXError.modelFailed(why: error.localizedDescription)
            }
            let own = loaded.modelDescription.metadata[MLModelMetadataKey.creatorDefinedKey] as? [String: String]
            guard let text = own?["spec"] else {
                throw ImageQXError.unusableSpec(why: "the model has no spec in its metadata")
            }
            spec = try ModelSpec(metadata: text)
            model = loaded
        }

        /// Runs the model.
        public func run(_ pixels: RGBPicture) async throws -> ModelOutputs {
            try Task.checkCancellation()
            return try predict(pixels)
        }

        // Not asynchronous: iOS 17's own asynchronous prediction would let photos overtake each other.
        private func predict(_ pixels: RGBPicture) throws -> ModelOutputs {
            let size = spec.preprocessing
            guard pixels.width == size.width, pixels.height == size.height else {
                throw ImageQXError.modelFailed(
                    why: "\(pixels.width) × \(pixels.height) pixels, expected \(size.width) × \(size.height)")
            }
            let results: any MLFeatureProvider
            do {
                let photo = MLFeatureValue(pixelBuffer: try makePixelBuffer(pixels))
                let input = try MLDictionaryFeatureProvider(dictionary: [spec.inputs[0].name: photo])
                results = try model.prediction(from: input)
            } catch let error as ImageQXError {
                throw error
            } catch {
                throw ImageQXError.modelFailed(why: error.localizedDescription)
            }
            var values = [String: [Float]]()
            for output in spec.outputs {
                guard let array = results.featureValue(for: output.name)?.multiArrayValue else {
                    throw ImageQXError.unusableOutput(name: output.name, why: "it is missing")
                }
                values[output.name] = (0..<array.count).map { array[$0].floatValue }
            }
            return ModelOutputs(values)
        }
    }

    extension CoreMLModel {
        /// Compiles an `.mlpackage`, once; later calls return what is there.
        ///
        /// - Parameters:
        ///   - package: The package, which has been ``Artifact/verified(in:)``.
        ///   - place: Where the compiled model lies from then on; its name holds the package's digest.
        /// - Throws: ``ImageQXError/modelFailed(why:)``.
        public static func compile(_ package: URL, into place: URL) async throws -> URL {
            let files = FileManager.default
            if files.fileExists(atPath: place.path) { return place }
            do {
                let compiled = try await MLModel.compileModel(at: package)
                try files.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
                do {
                    try files.moveItem(at: compiled, to: place)
                } catch  where files.fileExists(atPath: place.path) {
                    try? files.removeItem(at: compiled)  // another one was quicker
                }
                return place
            } catch {
                throw ImageQXError.modelFailed(why: error.localizedDescription)
            }
        }
    }

    /// Returns the pixels as Core ML takes pictures: blue first, with a fourth byte.
    private func makePixelBuffer(_ pixels: RGBPicture) throws -> CVPixelBuffer {
        var made: CVPixelBuffer?
        let status = CVPixelBufferCreate(
            nil, pixels.width, pixels.height, kCVPixelFormatType_32BGRA, nil, &made)
        guard status == kCVReturnSuccess, let buffer = made else {
            throw ImageQXError.outOfMemory(bytes: pixels.width * pixels.height * 4)
        }
        CVPixelBufferLockBaseAddress(buffer, [])
        defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
        guard let base = CVPixelBufferGetBaseAddress(buffer) else {
            throw ImageQXError.modelFailed(why: "a pixel buffer without memory")
        }
        let stride = CVPixelBufferGetBytesPerRow(buffer)
        for row in 0..<pixels.height {
            let line = base.advanced(by: row * stride).assumingMemoryBound(to: UInt8.self)
            for column in 0..<pixels.width {
                let source = (row * pixels.width + column) * 3
                line[4 * column] = pixels.samples[source + 2]
                line[4 * column + 1] = pixels.samples[source + 1]
                line[4 * column + 2] = pixels.samples[source]
                line[4 * column + 3] = 255
            }
        }
        return buffer
    }
#endif
