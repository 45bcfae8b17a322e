import Foundation

/// One run of the benchmark, in the form that `imageqx bench --import FILE` reads: one line of a history.
public struct BenchRun: Codable, Equatable, Sendable {
    /// What the history calls measurements of the app.
    public static let appTarget = "ios-app"

    public var schemaVersion = 1
    /// Unique.
    public var runId: String
    /// Seconds since 1970.
    public var started: Double
    /// The project's commit, or `unknown`.
    public var commit: String
    /// See ``appTarget``.
    public var target: String
    /// What was measured on.
    public var machine: Machine
    /// How.
    public var schedule: Schedule
    /// Of each library that ran, by name.
    public var toolVersions: [String: String]
    /// Of the checkpoint that the models were made from.
    public var checkpointSha256: String
    /// One a model.
    public var measurements: [Measurement]

    /// Makes a run of an app, measured now.
    ///
    /// - Parameters:
    ///   - started: Seconds since 1970.
    ///   - machine: What was measured on.
    ///   - schedule: How.
    ///   - toolVersions: Of each library that ran, by name.
    ///   - checkpoint: The digest of the checkpoint that the models were made from.
    ///   - measurements: One a model.
    public init(
        started: Double, machine: Machine, schedule: Schedule, toolVersions: [String: String], checkpoint: String,
        measurements: [Measurement]
    ) {
        runId = UUID().uuidString
        (commit, target) = ("unknown", Self.appTarget)
        (self.started, self.machine, self.schedule) = (started, machine, schedule)
        (self.toolVersions, checkpointSha256, self.measurements) = (toolVersions, checkpoint, measurements)
    }

    /// The machine that was measured on.
    public struct Machine: Codable, Equatable, Sendable {
        public var name: String
        public var cores: Int
        public var abi: String
        public var system: String
        public var facts: [String: String]

        /// Describes a machine.
        public init(name: String, cores: Int, abi: String, system: String, facts: [String: String] = [:]) {
            (self.name, self.cores, self.abi, self.system, self.facts) = (name, cores, abi, system, facts)
        }
    }

    /// How often and for how long each model runs; `imageqx bench`'s plan, with its defaults.
    ///
    /// `runs` and `seconds` are for all processes of a model together, and both must be reached. An app cannot start
    /// processes: each "process" is the model, loaded afresh.
    public struct Schedule: Codable, Equatable, Sendable {
        public var warmupRuns = 10
        public var warmupSeconds = 0.5
        public var runs = 100
        public var seconds = 10.0
        public var processes = 10
        public var threads = 1
        public var quick = false

        private enum CodingKeys: String, CodingKey {
            case runs, seconds, processes, threads, quick
            case warmupRuns = "warmup_runs"
            case warmupSeconds = "warmup_seconds"
        }

        /// The defaults.
        public init() {}

        /// A plan that takes a second, for trying out; its numbers decide nothing.
        public static let quickTrial: Schedule = {
            var plan = Schedule()
            (plan.warmupRuns, plan.warmupSeconds, plan.runs) = (2, 0.05, 10)
            (plan.seconds, plan.processes, plan.quick) = (0.4, 2, true)
            return plan
        }()

        /// Timed inferences that each process does at least.
        var runsEach: Int { (runs + processes - 1) / processes }
        /// Timed seconds that each process lasts at least.
        var secondsEach: Double { seconds / Double(processes) }
    }

    /// The raw times of one freshly loaded model.
    public struct Sample: Codable, Equatable, Sendable {
        public var loadSeconds: Double
        public var firstSeconds: Double
        public var seconds: [Double]
        public var started: Double

        private enum CodingKeys: String, CodingKey {
            case seconds, started
            case loadSeconds = "load_seconds"
            case firstSeconds = "first_seconds"
        }
    }

    /// Everything that was measured of one model.
    public struct Measurement: Codable, Equatable, Sendable {
        public var artifact: String
        public var sha256: String
        public var format: String
        public var precision: String
        public var sizeBytes: Int
        public var samples: [Sample]
        public var maxError: Double?
        public var unavailable: String?
        public var failed: Bool
        public var notes: [String]

        private enum CodingKeys: String, CodingKey {
            case artifact, sha256, format, precision, samples, unavailable, failed, notes
            case sizeBytes = "size_bytes"
            case maxError = "max_error"
        }

        /// Every timed inference.
        public var seconds: [Double] { samples.flatMap(\.seconds) }
    }

    private enum CodingKeys: String, CodingKey {
        case started, commit, target, machine, schedule, measurements
        case runId = "run_id"
        case schemaVersion = "schema_version"
        case toolVersions = "tool_versions"
        case checkpointSha256 = "checkpoint_sha256"
    }

    /// Returns the run as JSON.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try encoder.encode(self)
    }
}

/// The quartiles of some numbers, linear between neighbours.
public struct Quartiles: Equatable, Sendable {
    public let lower, median, upper: Double

    /// Returns nil where there are no numbers.
    public init?(_ numbers: [Double]) {
        guard !numbers.isEmpty else { return nil }
        let sorted = numbers.sorted()
        func quantile(_ share: Double) -> Double {
            let place = share * Double(sorted.count - 1)
            let below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
        }
        (lower, median, upper) = (quantile(0.25), quantile(0.5), quantile(0.75))
    }
}
