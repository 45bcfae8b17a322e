// What Apple's Foundation has and Linux' has not; compiled into the app beside its own sources.
import Foundation

extension ProcessInfo {
    enum ThermalState: Int { case nominal, fair, serious, critical }
    var thermalState: ThermalState { fatalError() }
    var isLowPowerModeEnabled: Bool { fatalError() }
}
extension NotificationCenter {
    func notifications(named name: Notification.Name) -> AsyncStream<Notification> { fatalError() }
}
