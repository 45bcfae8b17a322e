@_exported import CoreGraphics
import Foundation

@MainActor open class UIResponder {
    public init() {}
}
open class CALayer {
    public init() {}
}
@MainActor open class UIView: UIResponder {
    open class var layerClass: AnyClass { CALayer.self }
    open var layer: CALayer { fatalError() }
}
@MainActor open class UIApplication: UIResponder {
    nonisolated public static var didReceiveMemoryWarningNotification: NSNotification.Name { fatalError() }
    nonisolated public static var openSettingsURLString: String { fatalError() }
}
