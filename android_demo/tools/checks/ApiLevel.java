import java.io.File;
import java.io.FileInputStream;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.PrintWriterLogger;

/** Tells whether every class of some jars keeps to an API: SIGNATURE, packages to pass over, jars. Exits 1 if not. */
class ApiLevel {
    public static void main(String[] arguments) throws Exception {
        Set<String> ours = new HashSet<>(List.of(arguments[1].split(",")));
        try (FileInputStream signature = new FileInputStream(arguments[0])) {
            SignatureChecker checker = new SignatureChecker(signature, ours, new PrintWriterLogger(System.out));
            checker.setSourcePath(List.of());
            for (int i = 2; i < arguments.length; i++) checker.process(new File(arguments[i]));
            System.exit(checker.isSignatureBroken() ? 1 : 0);
        }
    }
}
