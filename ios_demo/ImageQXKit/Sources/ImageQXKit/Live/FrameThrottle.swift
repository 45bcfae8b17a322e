/// Decides which frames of the camera's preview are assessed: no more than the phone sustains, and fewer when it is hot.
public struct FrameThrottle: Sendable {
    /// How warm the phone is; `ProcessInfo.ThermalState`, which Linux does not have, by the same numbers.
    public enum Heat: Int, Sendable {
        case nominal, fair, serious, critical
    }

    /// The share of the time that may go into assessing.
    public static let share = 0.5
    /// The shortest pause between two frames, in seconds, when the phone is cool.
    public static let shortestPause = 0.1

    private var busy = false
    private var next = 0.0

    /// Makes a throttle that takes the first frame.
    public init() {}

    /// Says whether the frame that arrives now is assessed; if so, ``finish(at:took:heat:)`` must follow.
    ///
    /// - Parameter now: Seconds of a clock that never goes back.
    public mutating func admit(at now: Double) -> Bool {
        guard !busy, now >= next else { return false }
        busy = true
        return true
    }

    /// Takes note that a frame has been assessed, or could not be.
    ///
    /// - Parameters:
    ///   - now: Seconds of the same clock.
    ///   - took: Seconds that assessing took.
    ///   - heat: How warm the phone is; critical stops the preview's assessing for a while.
    public mutating func finish(at now: Double, took: Double, heat: Heat) {
        busy = false
        let pause = max(Self.shortestPause, took * (1 - Self.share) / Self.share)
        next = now + pause * [.nominal: 1, .fair: 2, .serious: 5, .critical: 50][heat, default: 1]
    }
}
