// swift-tools-version: 6.0
import PackageDescription

var targets: [Target] = [
    .target(name: "ImageQXKit"),
    .testTarget(name: "ImageQXKitTests", dependencies: ["ImageQXKit"]),
]

#if os(Linux)
    // Off a Mac there is no ImageIO: the tests decode with the libraries that Pillow decodes with.
    targets += [
        .systemLibrary(name: "CPNG", pkgConfig: "libpng"),
        .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg"),
        .target(name: "DesktopDecoders", dependencies: ["ImageQXKit", "CPNG", "CTurboJPEG"]),
        .target(name: "CCountMalloc"),
        .executableTarget(
            name: "resize-bench", dependencies: ["ImageQXKit", "CCountMalloc"], path: "Sources/ResizeBench"),
    ]
    targets[1].dependencies.append("DesktopDecoders")
#endif

let package = Package(
    name: "ImageQXKit",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "ImageQXKit", targets: ["ImageQXKit"])],
    targets: targets,
    swiftLanguageModes: [.v6]
)
