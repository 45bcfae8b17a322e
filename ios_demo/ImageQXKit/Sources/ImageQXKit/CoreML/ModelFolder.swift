#if canImport(CoreML)
    import Foundation

    /// A folder with an exported model: `manifest.json`, the packages that an app ships, and `golden/` for the self-test.
    public struct ModelFolder: Sendable {
        /// The folder.
        public let folder: URL
        /// The folder's manifest.
        public let manifest: Manifest

        /// Opens a folder.
        ///
        /// - Throws: ``ImageQXError`` if there is no manifest, or one that cannot be read.
        public init(_ folder: URL) throws {
            self.folder = folder
            manifest = try Manifest(folder: folder)
        }

        /// The precisions whose packages are in the folder; an app ships one or a few of them.
        public var precisions: [Precision] {
            Precision.allCases.filter { precision in
                guard let artifact = try? manifest.coreML(precision) else { return false }
                return FileManager.default.fileExists(atPath: folder.appendingPathComponent(artifact.path).path)
            }
        }

        /// Loads a model, after its digest has been checked against the manifest.
        ///
        /// - Parameters:
        ///   - precision: Which of the models.
        ///   - units: Where it may run.
        /// - Throws: ``ImageQXError``.
        public func load(_ precision: Precision, units: ComputeUnits) async throws -> CoreMLModel {
            let artifact = try manifest.coreML(precision)
            #if os(iOS)
                try artifact.spec.checkSystem(ProcessInfo.processInfo.operatingSystemVersion)
            #endif
            let package = try artifact.verified(in: folder)
            let cache = try FileManager.default.url(
                for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            let place = cache.appendingPathComponent("ImageQXKit/\(artifact.sha256).mlmodelc")
            let compiled = try await CoreMLModel.compile(package, into: place)
            return try await CoreMLModel(compiled: compiled, units: units)
        }

        /// Loads a model on the phone's accelerator where that computes it right, and on the CPU elsewhere.
        ///
        /// - Parameters:
        ///   - precision: Which of the models.
        ///   - store: Keeps the answer from one start of the app to the next.
        ///   - system: The system's build, and the phone's kind: the phone is asked again when they change.
        /// - Returns: The model, and where it runs.
        public func loadTrusted(_ precision: Precision, store: any TrustStore, system: String) async throws
            -> (model: CoreMLModel, units: ComputeUnits)
        {
            let artifact = try manifest.coreML(precision)
            let golden = folder.appendingPathComponent("golden")
            let units = await TrustGate(store: store).choose(key: "\(artifact.sha256) \(system)") {
                let model = try await load(precision, units: .all)
                return try await SelfTest(folder: golden)
                    .ask(model, precision, folder: golden, decoder: ImageIODecoder())
            }
            return (try await load(precision, units: units), units)
        }
    }

    extension ImageQX {
        /// Makes one of an exported model's folder.
        ///
        /// ```swift
        /// let assessment = try await ImageQX(model).assess(photo)
        /// ```
        ///
        /// - Parameters:
        ///   - folder: With `manifest.json` and the package of the precision.
        ///   - precision: Which of the models; nil takes the first one that the folder has.
        ///   - units: Where it may run; see ``ModelFolder/loadTrusted(_:store:system:)`` for more than the CPU.
        ///   - thresholds: A clinic's own, or nil.
        /// - Throws: ``ImageQXError``.
        public init(
            _ folder: URL, precision: Precision? = nil, units: ComputeUnits = .cpuOnly,
            thresholds: ClinicThresholds? = nil
        ) async throws {
            let opened = try ModelFolder(folder)
            guard let chosen = precision ?? opened.precisions.first else {
                throw ImageQXError.missingFile("\(opened.manifest.model)_fp16.mlpackage")
            }
            try self.init(
                model: await opened.load(chosen, units: units), decoder: ImageIODecoder(), thresholds: thresholds)
        }
    }
#endif
