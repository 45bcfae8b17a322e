import Foundation
import Testing

@testable import ImageQXKit

@Suite struct AttentionTests {
    @Test(arguments: Fixtures.all.overlays.indices)
    func overlaysEqualPythons(_ index: Int) throws {
        let one = Fixtures.all.overlays[index]
        let map = AttentionMap(reason: "blurry", rows: one.rows, columns: one.columns, values: one.values)
        let expected = try Fixtures.read(one.name + ".map").withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        #expect(map.enlarged(to: one.width, one.height) == expected)
        let photo = RGBPicture(
            width: one.width, height: one.height, samples: [UInt8](try Fixtures.read(one.name + ".in")))
        let overlay = [UInt8](try Fixtures.read(one.name + ".out"))
        let differing = zip(photo.overlaid(with: map).samples, overlay).filter { $0 != $1 }.count
        #expect(differing == 0)
        // The negative control: another map gives another picture.
        let other = AttentionMap(
            reason: "blurry", rows: one.rows, columns: one.columns, values: one.values.map { $0 * 0.98 })
        #expect(photo.overlaid(with: other).samples != overlay)
    }

    @Test func mapsShareOneScale() {
        let map = AttentionMap(reason: "blurry", rows: 1, columns: 2, values: [1, 2])
        #expect(map.scaled(by: 4).values == [0.25, 0.5])
        #expect(map.scaled(by: 0).values.allSatisfy { $0.isFinite })
    }
}
