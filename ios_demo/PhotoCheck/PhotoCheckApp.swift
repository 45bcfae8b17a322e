import SwiftUI
import UIKit

/// The demonstration: camera or library → verdict, with what to do better, and nothing leaves the phone.
@main
struct PhotoCheckApp: App {
    @State private var session = Session(loader: ModelLoader())

    var body: some Scene {
        WindowGroup {
            RootView(session: session)
                .task {
                    let warnings = NotificationCenter.default.notifications(
                        named: UIApplication.didReceiveMemoryWarningNotification)
                    for await _ in warnings.map({ _ in }) { session.memoryIsLow() }
                }
        }
    }
}

/// Shows the screen that the session is at.
struct RootView: View {
    let session: Session

    var body: some View {
        switch session.screen {
        case .camera: CameraScreen(session: session)
        case .assessing: AssessingScreen(session: session)
        case .result(let result): ResultScreen(session: session, result: result)
        case .problem(let problem): ProblemScreen(session: session, problem: problem)
        case .done: DoneScreen(session: session)
        case .speed: SpeedScreen(session: session)
        }
    }
}
