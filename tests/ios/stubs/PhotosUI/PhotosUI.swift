import Foundation
import SwiftUI

public struct PHPickerFilter: Sendable {
    public static let images = PHPickerFilter()
}
public protocol Transferable: Sendable {}
extension Data: Transferable {}
public struct PhotosPickerItem: Equatable, Hashable, Sendable {
    public func loadTransferable<T: Transferable>(type: T.Type) async throws -> T? { fatalError() }
}
public struct PhotosPicker<L: View>: View {
    nonisolated public init(selection: Binding<PhotosPickerItem?>, matching filter: PHPickerFilter? = nil, @ViewBuilder label: () -> L) {}
    public var body: Never { fatalError() }
}
