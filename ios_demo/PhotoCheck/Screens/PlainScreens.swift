import ImageQXKit
import SwiftUI

/// The photo is being assessed.
struct AssessingScreen: View {
    let session: Session

    var body: some View {
        VStack(spacing: 20) {
            ProgressView()
            Text("assessing").font(.title2)
            Text("assessing_privacy").foregroundStyle(.secondary)
            Button("cancel", role: .cancel, action: session.cancel)
        }
        .padding()
    }
}

/// Something went wrong, and what helps.
struct ProblemScreen: View {
    let session: Session
    let problem: Problem

    var body: some View {
        VStack(spacing: 20) {
            Text("problem_title").font(.title2).accessibilityAddTraits(.isHeader)
            Text(verbatim: Words.problem(problem)).multilineTextAlignment(.center)
            Button("again", action: session.retake).buttonStyle(.borderedProminent)
        }
        .padding()
    }
}

/// The photo has been taken; in a clinic's app it would be on its way now.
struct DoneScreen: View {
    let session: Session

    var body: some View {
        VStack(spacing: 20) {
            Text("kept_title").font(.title2).accessibilityAddTraits(.isHeader)
            Text("kept_text").multilineTextAlignment(.center)
            Button("kept_next", action: session.retake).buttonStyle(.borderedProminent)
        }
        .padding()
    }
}
