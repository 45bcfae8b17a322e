package org.imageqx.demo.state

/** What happens: a person does something, or work that went on beside the screen ends. */
internal sealed interface Event {
    /** The app has come to the front, with the camera's access as Android says it now; null: it must be asked for. */
    data class Started(val camera: CameraAccess?) : Event

    data class CameraAnswered(val camera: CameraAccess) : Event

    data object AskedAgain : Event

    data object SettingsAsked : Event

    data class FrameAssessed(val advice: Advice) : Event

    data object ShutterPressed : Event

    data object GalleryPressed : Event

    /** A photo lies in the cache, from the camera or from the gallery. */
    data class PhotoCame(val photo: Photo) : Event

    /** The check number [check] ended. */
    data class Assessed(val check: Int, val assessment: Assessment) : Event

    /** The check number [check] ended without an answer. */
    data class CheckFailed(val check: Int, val problem: Problem) : Event

    /** Something else than a check went wrong: the camera, the storage, the model at the start. */
    data class Failed(val problem: Problem) : Event

    data class ReasonPressed(val name: String) : Event

    data object RetakePressed : Event

    data object UsePressed : Event

    data object AnotherPressed : Event

    data object SpeedPressed : Event

    /** It is known what checks photos. */
    data class EngineDescribed(val engine: Engine) : Event

    /** What may compute, as it is kept, or as an administrator has changed it meanwhile. */
    data class ComputingRead(val computing: Computing) : Event

    /** The person switched to the processor [only], or back. */
    data class ProcessorSwitched(val only: Boolean) : Event

    data object MeasurePressed : Event

    data class Measured(val progress: SpeedProgress) : Event

    data object SharePressed : Event

    data object BackPressed : Event
}

/** What is to be done outside the state, after a [Step]. */
internal sealed interface Effect {
    data object AskForCamera : Effect

    data object OpenSettings : Effect

    data object Shoot : Effect

    data object OpenGallery : Effect

    /** Check [photo], and answer with number [check]. */
    data class Assess(val photo: Photo, val check: Int) : Effect

    /** Stop the check that goes on, as far as that can be done. */
    data object StopCheck : Effect

    data class Delete(val photo: Photo) : Effect

    /** Tell what checks photos. */
    data object DescribeEngine : Effect

    /** Keep what the person chose: the processor [only], or whatever is right. */
    data class KeepProcessor(val only: Boolean) : Effect

    /** Open the model anew when it is next needed, as something else may compute now. */
    data object Reopen : Effect

    data object Measure : Effect

    data object StopMeasuring : Effect

    data object ShareRun : Effect

    /** Leave the app. */
    data object Leave : Effect
}

/** The next state, and what to do. */
internal data class Step(val state: State, val effects: List<Effect> = emptyList())
