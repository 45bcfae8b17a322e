import Foundation
import ImageQXKit

/// The words for what the model's spec names; the spec's own English stands where the catalogue has none.
enum Words {
    /// Returns what to tell the person.
    static func hint(_ name: String, else own: String) -> String { find("hint_\(name)", else: own) }

    /// Returns a reason in words.
    static func reason(_ name: String) -> String {
        find("reason_\(name)", else: name.replacingOccurrences(of: "_", with: " "))
    }

    /// Returns a label in words.
    static func label(_ name: String) -> String {
        find("label_\(name)", else: name.replacingOccurrences(of: "_", with: " "))
    }

    /// Returns what went wrong, in words.
    static func problem(_ problem: Problem) -> String { find("problem_\(problem.rawValue)", else: problem.rawValue) }

    private static func find(_ key: String, else own: String) -> String {
        Bundle.main.localizedString(forKey: key, value: own, table: nil)
    }
}

extension Verdict {
    /// The hints in the user's language, the worst reason first.
    var words: [String] { zip(hintNames, hints).map { Words.hint($0, else: $1) } }
}
