// Each declaration names Apple's class and selector, or its constant; test_ios_stubs.py looks them up.
import CoreVideo
import Foundation

public struct MLModelMetadataKey: Hashable, Sendable {
    public static let creatorDefinedKey = MLModelMetadataKey()  // constant: MLModelCreatorDefinedKey
}

open class MLModelDescription {
    open var metadata: [MLModelMetadataKey: Any] { fatalError() }  // MLModelDescription metadata
}

public enum MLComputeUnits: Int, Sendable {
    case cpuOnly = 0  // value: MLComputeUnits CPUOnly
    case cpuAndGPU = 1  // value: MLComputeUnits CPUAndGPU
    case all = 2  // value: MLComputeUnits All
    case cpuAndNeuralEngine = 3  // value: MLComputeUnits CPUAndNeuralEngine
}

open class MLModelConfiguration {
    public init() {}  // MLModelConfiguration init
    open var computeUnits: MLComputeUnits = .all  // MLModelConfiguration setComputeUnits:
}

open class MLMultiArray {
    open var count: Int { fatalError() }  // MLMultiArray count
    open subscript(index: Int) -> NSNumber { fatalError() }  // MLMultiArray objectAtIndexedSubscript:
}

open class MLFeatureValue {
    public init(pixelBuffer value: CVPixelBuffer) {}  // MLFeatureValue featureValueWithPixelBuffer:
    open var multiArrayValue: MLMultiArray? { fatalError() }  // MLFeatureValue multiArrayValue
}

public protocol MLFeatureProvider {
    var featureNames: Set<String> { get }  // MLFeatureProvider featureNames
    func featureValue(for featureName: String) -> MLFeatureValue?  // MLFeatureProvider featureValueForName:
}

open class MLDictionaryFeatureProvider: MLFeatureProvider {
    public init(dictionary: [String: Any]) throws {}  // MLDictionaryFeatureProvider initWithDictionary:error:
    open var featureNames: Set<String> { fatalError() }  // MLFeatureProvider featureNames
    open func featureValue(for featureName: String) -> MLFeatureValue? { fatalError() }  // MLFeatureProvider featureValueForName:
}

public class MLPredictionOptions {
    public init() {}  // MLPredictionOptions init
}

open class MLModel {
    public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {}  // MLModel modelWithContentsOfURL:configuration:error:
    open var modelDescription: MLModelDescription { fatalError() }  // MLModel modelDescription
    open func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { fatalError() }  // MLModel predictionFromFeatures:error:
    open func prediction(from input: any MLFeatureProvider, options: MLPredictionOptions = MLPredictionOptions()) async throws -> any MLFeatureProvider { fatalError() }  // MLModel predictionFromFeatures:options:completionHandler:
    open class func compileModel(at modelURL: URL) async throws -> URL { fatalError() }  // MLModel compileModelAtURL:completionHandler:
}
