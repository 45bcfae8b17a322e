@_exported import CoreGraphics
@_exported import Foundation
import UIKit

// Views

@MainActor @preconcurrency public protocol View {
    associatedtype Body: View
    @ViewBuilder @MainActor @preconcurrency var body: Body { get }
}
extension Never: View {
    public var body: Never { fatalError() }
}
public struct EmptyView: View {
    nonisolated public init() {}
    public var body: Never { fatalError() }
}
public struct Either<A: View, B: View>: View {
    public var body: Never { fatalError() }
}
public struct TupleView<T>: View {
    public var body: Never { fatalError() }
}
extension Optional: View where Wrapped: View {
    public var body: Never { fatalError() }
}
@resultBuilder public enum ViewBuilder {
    public static func buildBlock() -> EmptyView { fatalError() }
    public static func buildBlock<C: View>(_ content: C) -> C { fatalError() }
    public static func buildBlock<each C: View>(_ content: repeat each C) -> TupleView<(repeat each C)> { fatalError() }
    public static func buildExpression<C: View>(_ content: C) -> C { fatalError() }
    public static func buildIf<C: View>(_ content: C?) -> C? { fatalError() }
    public static func buildEither<A: View, B: View>(first: A) -> Either<A, B> { fatalError() }
    public static func buildEither<A: View, B: View>(second: B) -> Either<A, B> { fatalError() }
}

// The app

@MainActor @preconcurrency public protocol Scene {
    associatedtype Body: Scene
    @SceneBuilder @MainActor @preconcurrency var body: Body { get }
}
extension Never: Scene {}
@resultBuilder public enum SceneBuilder {
    public static func buildBlock<C: Scene>(_ content: C) -> C { fatalError() }
}
public struct WindowGroup<C: View>: Scene {
    nonisolated public init(@ViewBuilder content: () -> C) {}
    public var body: Never { fatalError() }
}
@MainActor @preconcurrency public protocol App {
    associatedtype Body: Scene
    @SceneBuilder @MainActor @preconcurrency var body: Body { get }
    @MainActor @preconcurrency init()
}
extension App {
    @MainActor public static func main() {}
}

// State

@propertyWrapper public struct State<Value> {
    public init(wrappedValue: Value) {}
    public init() where Value: ExpressibleByNilLiteral {}
    public var wrappedValue: Value {
        get { fatalError() }
        nonmutating set {}
    }
    public var projectedValue: Binding<Value> { fatalError() }
}
@propertyWrapper public struct Binding<Value> {
    public init(get: @escaping () -> Value, set: @escaping (Value) -> Void) {}
    public var wrappedValue: Value {
        get { fatalError() }
        nonmutating set {}
    }
}

// Words

public struct LocalizedStringKey: Equatable, ExpressibleByStringInterpolation {
    public init(_ value: String) {}
    public init(stringLiteral value: String) {}
    public init(stringInterpolation: StringInterpolation) {}
    public struct StringInterpolation: StringInterpolationProtocol {
        public init(literalCapacity: Int, interpolationCount: Int) {}
        public mutating func appendLiteral(_ literal: String) {}
        public mutating func appendInterpolation(_ string: String) {}
        public mutating func appendInterpolation(_ number: Int) {}
        public mutating func appendInterpolation(_ number: Double) {}
    }
}
public struct Text: View, Equatable {
    nonisolated public init(_ key: LocalizedStringKey) {}
    nonisolated public init(verbatim content: String) {}
    @_disfavoredOverload nonisolated public init<S: StringProtocol>(_ content: S) {}
    public func font(_ font: Font?) -> Text { fatalError() }
    public var body: Never { fatalError() }
}
public struct Label<T: View, I: View>: View {
    public var body: Never { fatalError() }
}
extension Label where T == Text, I == Image {
    nonisolated public init(_ titleKey: LocalizedStringKey, systemImage name: String) {}
    @_disfavoredOverload nonisolated public init<S: StringProtocol>(_ title: S, systemImage name: String) {}
}
public struct Image: View {
    nonisolated public init(decorative cgImage: CGImage, scale: CGFloat) {}
    public func resizable() -> Image { fatalError() }
    public var body: Never { fatalError() }
}

// Layout

public struct HorizontalAlignment: Sendable {
    public static let leading = HorizontalAlignment(), center = HorizontalAlignment()
}
public struct Alignment: Sendable {
    public static let center = Alignment(), leading = Alignment(), bottom = Alignment()
}
public struct VStack<C: View>: View {
    nonisolated public init(alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> C) {}
    public var body: Never { fatalError() }
}
public struct ZStack<C: View>: View {
    nonisolated public init(alignment: Alignment = .center, @ViewBuilder content: () -> C) {}
    public var body: Never { fatalError() }
}
public struct ScrollView<C: View>: View {
    nonisolated public init(@ViewBuilder content: () -> C) {}
    public var body: Never { fatalError() }
}
public struct GeometryProxy {
    public var size: CGSize { fatalError() }
}
public struct GeometryReader<C: View>: View {
    nonisolated public init(@ViewBuilder content: @escaping (GeometryProxy) -> C) {}
    public var body: Never { fatalError() }
}
public struct ForEach<Data: RandomAccessCollection, ID: Hashable, C: View>: View {
    nonisolated public init(_ data: Data, id: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> C) {}
    public var body: Never { fatalError() }
}
public protocol Shape: View, Sendable {}
public struct Rectangle: Shape {
    nonisolated public init() {}
    public var body: Never { fatalError() }
}
extension Shape {
    nonisolated public func stroke(_ content: Color, lineWidth: CGFloat = 1) -> some View { EmptyView() }
}

// Controls

public struct ButtonRole: Sendable, Equatable {
    public static let cancel = ButtonRole()
}
public struct Button<L: View>: View {
    nonisolated public init(action: @escaping @MainActor () -> Void, @ViewBuilder label: () -> L) {}
    public var body: Never { fatalError() }
}
extension Button where L == Text {
    nonisolated public init(_ titleKey: LocalizedStringKey, action: @escaping @MainActor () -> Void) {}
    nonisolated public init(_ titleKey: LocalizedStringKey, role: ButtonRole?, action: @escaping @MainActor () -> Void) {}
}
public struct Link<L: View>: View {
    public var body: Never { fatalError() }
}
extension Link where L == Text {
    nonisolated public init(_ titleKey: LocalizedStringKey, destination: URL) {}
}
public struct ShareLink<L: View>: View {
    nonisolated public init(item: URL, @ViewBuilder label: () -> L) {}
    public var body: Never { fatalError() }
}
public struct ProgressView<L: View>: View {
    public var body: Never { fatalError() }
}
extension ProgressView where L == EmptyView {
    nonisolated public init() {}
    nonisolated public init<V: BinaryFloatingPoint>(value: V?, total: V = 1) {}
}
public protocol PrimitiveButtonStyle {}
public struct BorderedProminentButtonStyle: PrimitiveButtonStyle {}
extension PrimitiveButtonStyle where Self == BorderedProminentButtonStyle {
    public static var borderedProminent: BorderedProminentButtonStyle { fatalError() }
}
public enum ControlSize: Sendable { case small, regular, large }

// Looks

public struct Font: Sendable {
    public static let title = Font(), title2 = Font(), headline = Font(), footnote = Font()
}
public protocol ShapeStyle: Sendable {}
public struct Color: ShapeStyle, View {
    public static let yellow = Color()
    public var body: Never { fatalError() }
}
public struct Material: ShapeStyle {}
public struct HierarchicalShapeStyle: ShapeStyle {}
extension ShapeStyle where Self == Material {
    public static var thinMaterial: Material { fatalError() }
}
extension ShapeStyle where Self == HierarchicalShapeStyle {
    public static var secondary: HierarchicalShapeStyle { fatalError() }
}
public enum TextAlignment: Sendable { case leading, center }
public enum ContentMode: Sendable { case fit, fill }
public struct AccessibilityTraits: Sendable {
    public static let isHeader = AccessibilityTraits(), updatesFrequently = AccessibilityTraits()
}

extension View {
    nonisolated public func padding(_ length: CGFloat? = nil) -> some View { EmptyView() }
    nonisolated public func font(_ font: Font?) -> some View { EmptyView() }
    nonisolated public func multilineTextAlignment(_ alignment: TextAlignment) -> some View { EmptyView() }
    nonisolated public func foregroundStyle<S: ShapeStyle>(_ style: S) -> some View { EmptyView() }
    nonisolated public func background<S: ShapeStyle>(_ style: S) -> some View { EmptyView() }
    nonisolated public func frame(width: CGFloat? = nil, height: CGFloat? = nil, alignment: Alignment = .center) -> some View { EmptyView() }
    nonisolated public func frame(maxWidth: CGFloat? = nil, maxHeight: CGFloat? = nil, alignment: Alignment = .center) -> some View { EmptyView() }
    nonisolated public func position(x: CGFloat = 0, y: CGFloat = 0) -> some View { EmptyView() }
    nonisolated public func aspectRatio(_ aspectRatio: CGFloat? = nil, contentMode: ContentMode) -> some View { EmptyView() }
    nonisolated public func overlay<V: View>(alignment: Alignment = .center, @ViewBuilder content: () -> V) -> some View { EmptyView() }
    nonisolated public func buttonStyle<S: PrimitiveButtonStyle>(_ style: S) -> some View { EmptyView() }
    nonisolated public func controlSize(_ controlSize: ControlSize) -> some View { EmptyView() }
    nonisolated public func disabled(_ disabled: Bool) -> some View { EmptyView() }
    nonisolated public func accessibilityElement() -> some View { EmptyView() }
    nonisolated public func accessibilityLabel(_ label: Text) -> some View { EmptyView() }
    nonisolated public func accessibilityHint(_ hint: Text) -> some View { EmptyView() }
    nonisolated public func accessibilityAddTraits(_ traits: AccessibilityTraits) -> some View { EmptyView() }
    nonisolated public func onDisappear(perform action: (() -> Void)? = nil) -> some View { EmptyView() }
    nonisolated public func task(priority: TaskPriority = .userInitiated, @_inheritActorContext _ action: sending @escaping @isolated(any) () async -> Void) -> some View { EmptyView() }
    nonisolated public func task<T: Equatable>(id value: T, priority: TaskPriority = .userInitiated, @_inheritActorContext _ action: sending @escaping @isolated(any) () async -> Void) -> some View { EmptyView() }
}

// UIKit in SwiftUI

public struct UIViewRepresentableContext<R> {}
@MainActor @preconcurrency public protocol UIViewRepresentable: View where Body == Never {
    associatedtype UIViewType: UIView
    typealias Context = UIViewRepresentableContext<Self>
    @MainActor @preconcurrency func makeUIView(context: Context) -> UIViewType
    @MainActor @preconcurrency func updateUIView(_ uiView: UIViewType, context: Context)
}
extension UIViewRepresentable {
    public var body: Never { fatalError() }
}
