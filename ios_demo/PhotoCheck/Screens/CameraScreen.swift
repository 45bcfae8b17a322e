import ImageQXKit
import PhotosUI
import SwiftUI
import UIKit

/// The camera with live hints, and the way to photos that have been taken already.
struct CameraScreen: View {
    let session: Session
    @State private var live = LiveHints()
    @State private var chosen: PhotosPickerItem?
    @State private var taking = false

    var body: some View {
        VStack(spacing: 16) {
            switch live.state {
            case .starting: ProgressView().frame(maxWidth: .infinity, maxHeight: .infinity)
            case .running: preview
            case .unavailable(let error): NoCamera(error: error)
            }
            controls
        }
        .padding()
        .task { await live.run(session.loader) }
        .task(id: chosen) { await open(chosen) }
        .onDisappear { live.camera.stop() }
    }

    private var preview: some View {
        ZStack(alignment: .bottom) {
            CameraPreview(session: live.camera.session)
                .accessibilityLabel(Text("camera_preview"))
            hint
                .font(.headline)
                .multilineTextAlignment(.center)
                .padding()
                .background(.thinMaterial)
                .accessibilityAddTraits(.updatesFrequently)
        }
    }

    private var hint: Text {
        if let hint = live.hint { return Text(verbatim: hint) }
        return live.hasAssessed ? Text("camera_good") : Text("camera_start")
    }

    private var controls: some View {
        VStack(spacing: 12) {
            if case .running = live.state {
                Button(action: take) { Label("camera_shutter", systemImage: "camera") }
                    .buttonStyle(.borderedProminent)
                    .disabled(taking)
            }
            PhotosPicker(selection: $chosen, matching: .images) {
                Label("camera_gallery", systemImage: "photo")
            }
            Button(action: session.openSpeed) { Label("camera_speed", systemImage: "gauge") }
        }
        .controlSize(.large)
    }

    private func take() {
        taking = true
        Task {
            defer { taking = false }
            do {
                session.assess(try await live.camera.takePhoto())
            } catch is CancellationError {
                // The screen has been left.
            } catch {
                session.show(Problem(error))
            }
        }
    }

    private func open(_ item: PhotosPickerItem?) async {
        guard let item else { return }
        do {
            guard let photo = try await item.loadTransferable(type: Data.self) else { return session.show(.photo) }
            session.assess(photo)
        } catch is CancellationError {
            // Another photo has been chosen.
        } catch {
            session.show(.photo)
        }
    }
}

/// Says why there is no camera, and what helps.
struct NoCamera: View {
    let error: CameraError

    var body: some View {
        VStack(spacing: 12) {
            switch error {
            case .refused:
                Text("refused_title").font(.title2)
                Text("refused_text")
                if let settings = URL(string: UIApplication.openSettingsURLString) {
                    Link("refused_settings", destination: settings)
                }
            case .missing, .failed:
                Text("none_title").font(.title2)
                Text("none_text")
            }
        }
        .multilineTextAlignment(.center)
        .frame(maxWidth: .infinity, maxHeight: .infinity)
    }
}
