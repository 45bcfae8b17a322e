package org.imageqx.demo.state

import org.imageqx.core.attention.Heat
import org.imageqx.core.verdict.Hint
import org.imageqx.core.verdict.RetakePolicy
import org.imageqx.core.verdict.Verdict

/**
 * Everything that decides what is on the screen.
 *
 * @property screen what is shown.
 * @property policy how often a poor photo was taken again, since the last one that was kept.
 * @property camera whether the camera may be used.
 * @property check counts the assessments that were begun: an answer to an earlier one comes too late.
 * @property computing what may compute.
 */
internal data class State(
    val screen: Screen = Screen.Camera(),
    val policy: RetakePolicy = RetakePolicy(),
    val camera: CameraAccess = CameraAccess.UNKNOWN,
    val check: Int = 0,
    val computing: Computing = Computing.ANY,
)

/** What may compute. */
internal enum class Computing {
    /** The phone's accelerator where it is right, and else the processor. */
    ANY,

    /** The processor alone, as the person chose. */
    PROCESSOR,

    /** The processor alone, as the phone's administrator chose: the person cannot change it. */
    PROCESSOR_MANAGED,
}

/** Whether this app may use the camera. */
internal enum class CameraAccess {
    UNKNOWN,
    ALLOWED,
    REFUSED,

    /** Android does not ask again; only its settings can change that. */
    REFUSED_FOR_GOOD,

    /** The phone has no camera. */
    NONE,
}

/** What is on the screen, with all that its view shows. */
internal sealed interface Screen {
    /** The live picture, or in its place why there is none; [advice] is what the last frames say. */
    data class Camera(val advice: Advice? = null, val shooting: Boolean = false) : Screen

    /** A photo is being checked. */
    data class Assessing(val photo: Photo) : Screen

    /** A checked photo; [chosen] is the finding whose map lies over it, or null for the bare photo. */
    data class Result(val photo: Photo, val assessment: Assessment, val chosen: String?) : Screen

    /** The photo was used. */
    data object Kept : Screen

    /** Something went wrong. */
    data class Trouble(val problem: Problem) : Screen

    /** The measurement of the speed; [engine] is what checks photos, null until it is known. */
    data class Speed(val progress: SpeedProgress = SpeedProgress.Ready, val engine: Engine? = null) : Screen
}

/** A photo in this app's own cache: [path] of its file, which a later one does not overwrite. */
internal data class Photo(val path: String)

/**
 * What a check says, whichever network it is.
 *
 * @property verdict the model's.
 * @property label what the photo shows, such as `"lesion"`; null where the model only says good or poor.
 * @property findings what speaks against a poor photo, the worst first, in the order of the verdict's hints.
 */
internal data class Assessment(val verdict: Verdict, val label: String?, val findings: List<Finding>)

/**
 * One thing that speaks against a photo: a reason, or a region of the frame.
 *
 * @property name in the spec, such as `"blurry"`.
 * @property probability that it is so, in [0, 1].
 * @property hint what helps, in the spec's own words.
 * @property map where in the photo, in [0, 1]; null where the model does not say.
 */
internal data class Finding(val name: String, val probability: Float, val hint: String, val map: Heat? = null)

/** What the live picture says: nothing against it, or what helps most. */
internal sealed interface Advice {
    data object Good : Advice

    data class Better(val hint: Hint) : Advice
}

/** Why there is no answer; each has its own words. */
internal enum class Problem {
    PHOTO_UNREADABLE,
    PHOTO_TRUNCATED,
    PHOTO_TOO_LARGE,
    PHOTO_UNSUPPORTED,
    MEMORY,
    STORAGE,
    CAMERA,
    MODEL_MISSING,
    MODEL_DAMAGED,
    MODEL_NEWER,
    MODEL_FAILED,
}

/** What computes: [runtime] in the words of the library, and why not the phone's accelerator, null where that does. */
internal data class Engine(val runtime: String, val fallback: String?)

/** How far the measurement is. */
internal sealed interface SpeedProgress {
    data object Ready : SpeedProgress

    /** [done] of [all] processes; [waiting] for the phone to cool down. */
    data class Running(val done: Int, val all: Int, val waiting: Boolean = false) : SpeedProgress

    /** One line a model. */
    data class Done(val rows: List<SpeedRow>) : SpeedProgress
}

/** What was measured of one model: quartiles in milliseconds, or [failure], why not. */
internal data class SpeedRow(val model: String, val quartiles: Quartiles?, val failure: String?)

/** The 25th, 50th and 75th percentile. */
internal data class Quartiles(val low: Double, val middle: Double, val high: Double)
