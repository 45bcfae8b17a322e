import ImageQXKit
import SwiftUI

/// Measures how fast the phone is, by the plan of `imageqx bench`, and shares the run as JSON.
struct SpeedScreen: View {
    let session: Session
    @State private var meter = SpeedMeter()

    var body: some View {
        ScrollView {
            VStack(spacing: 20) {
                Text("speed_title").font(.title2).accessibilityAddTraits(.isHeader)
                switch meter.state {
                case .idle:
                    Text("speed_text")
                    Button("speed_start", action: meter.start).buttonStyle(.borderedProminent)
                case .running(let done, let all):
                    ProgressView(value: Double(done), total: Double(max(all, 1)))
                    Text("speed_progress \(done) \(all)")
                    Button("speed_stop", role: .cancel, action: meter.stop)
                case .finished(let run, let file):
                    ForEach(run.measurements, id: \.artifact) { SpeedRow(measurement: $0) }
                    ShareLink(item: file) { Label("speed_share", systemImage: "square.and.arrow.up") }
                case .failed(let problem):
                    Text(verbatim: Words.problem(problem))
                }
                Button("speed_close", action: close)
            }
            .padding()
        }
        .onDisappear { meter.stop() }
    }

    private func close() {
        meter.stop()
        session.retake()
    }
}

/// One model's times.
struct SpeedRow: View {
    let measurement: BenchRun.Measurement

    var body: some View {
        if let times = Quartiles(measurement.seconds) {
            Text("speed_row \(measurement.precision) \(ms(times.median)) \(ms(times.lower)) \(ms(times.upper))")
        } else {
            Text("speed_failed \(measurement.precision) \(measurement.unavailable ?? "")")
        }
    }

    private func ms(_ seconds: Double) -> String { (seconds * 1000).formatted(.number.precision(.fractionLength(1))) }
}
