import ImageQXKit
import SwiftUI

/// The verdict: the photo with what the model looked at, the hints, and what may be done.
struct ResultScreen: View {
    let session: Session
    let result: PhotoResult
    @State private var chosen: String?

    private var verdict: Verdict { result.assessment.verdict }

    var body: some View {
        ScrollView {
            VStack(spacing: 20) {
                Text(verdict.retake ? "result_poor" : "result_good")
                    .font(.title)
                    .accessibilityAddTraits(.isHeader)
                Text(verbatim: Words.label(verdict.label))
                    .foregroundStyle(.secondary)
                AttentionView(assessment: result.assessment, reason: chosen)
                if verdict.retake { hints }
                actions
            }
            .padding()
        }
    }

    private var hints: some View {
        VStack(alignment: .leading, spacing: 12) {
            Text("result_reasons").font(.headline).accessibilityAddTraits(.isHeader)
            ForEach(Array(zip(verdict.hintNames, verdict.words)), id: \.0) { name, words in
                Button(action: { chosen = name }) {
                    Label(words, systemImage: chosen == name ? "eye.fill" : "eye")
                        .frame(maxWidth: .infinity, alignment: .leading)
                }
                .accessibilityHint(Text("result_show"))
            }
        }
    }

    private var actions: some View {
        VStack(spacing: 12) {
            switch result.step {
            case .send:
                Button("result_use", action: session.send).buttonStyle(.borderedProminent)
                Button("result_retake", action: session.retake)
            case .retake(let left):
                Button("result_retake", action: session.retake).buttonStyle(.borderedProminent)
                Text("result_tries_left \(left)").font(.footnote).foregroundStyle(.secondary)
            case .retakeOrSendAnyway:
                Button("result_retake", action: session.retake).buttonStyle(.borderedProminent)
                Button("result_anyway", action: session.send)
            }
        }
        .controlSize(.large)
    }
}
