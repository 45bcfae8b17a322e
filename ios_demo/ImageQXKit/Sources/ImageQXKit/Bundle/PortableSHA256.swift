#if !canImport(CryptoKit)
    import Foundation

    /// SHA-256 where there is no CryptoKit: on Linux, for the tests. Source: FIPS 180-4, section 6.2.
    enum PortableSHA256 {
        /// Returns the 32 bytes of the digest.
        static func hash(_ data: Data) -> [UInt8] {
            var message = [UInt8](data)
            let bits = UInt64(message.count) * 8
            message.append(0x80)
            message.append(contentsOf: [UInt8](repeating: 0, count: (120 - message.count % 64) % 64))
            message.append(contentsOf: (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * UInt64($0))) })
            var state = initial
            var words = [UInt32](repeating: 0, count: 64)
            for block in stride(from: 0, to: message.count, by: 64) { mix(message, block, &words, &state) }
            return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
        }

        private static func mix(_ message: [UInt8], _ block: Int, _ words: inout [UInt32], _ state: inout [UInt32]) {
            for i in 0..<16 {
                words[i] = (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(message[block + 4 * i + $1]) }
            }
            for i in 16..<64 {
                let (a, b) = (words[i - 15], words[i - 2])
                let s0 = turn(a, 7) ^ turn(a, 18) ^ a >> 3
                let s1 = turn(b, 17) ^ turn(b, 19) ^ b >> 10
                words[i] = words[i - 16] &+ s0 &+ words[i - 7] &+ s1
            }
            var (a, b, c, d) = (state[0], state[1], state[2], state[3])
            var (e, f, g, h) = (state[4], state[5], state[6], state[7])
            for i in 0..<64 {
                let s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)
                let choice = e & f ^ ~e & g
                let one = h &+ s1 &+ choice &+ constants[i] &+ words[i]
                let s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)
                let majority = a & b ^ a & c ^ b & c
                (h, g, f, e, d, c, b, a) = (g, f, e, d &+ one, c, b, a, one &+ s0 &+ majority)
            }
            for (i, word) in [a, b, c, d, e, f, g, h].enumerated() { state[i] &+= word }
        }

        private static func turn(_ word: UInt32, _ by: UInt32) -> UInt32 { word >> by | word << (32 - by) }

        /// The fractional parts of the square roots of the first eight primes, and of the cube roots of the first 64.
        private static let initial = primes(8).map { fraction(Double($0).squareRoot()) }
        private static let constants = primes(64).map { fraction(cbrt(Double($0))) }

        private static func fraction(_ root: Double) -> UInt32 {
            UInt32((root - root.rounded(.down)) * 4_294_967_296)
        }

        private static func primes(_ count: Int) -> [Int] {
            var found = [Int]()
            var candidate = 2
            while found.count < count {
                if found.allSatisfy({ candidate % $0 != 0 }) { found.append(candidate) }
                candidate += 1
            }
            return found
        }
    }
#endif
