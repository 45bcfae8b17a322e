#if canImport(ImageIO)
    import ImageQXKit

    /// The system's decoders.
    typealias GoldenDecoder = ImageIODecoder
#else
    import DesktopDecoders

    /// The decoders that Pillow uses, too.
    typealias GoldenDecoder = DesktopDecoder
#endif
