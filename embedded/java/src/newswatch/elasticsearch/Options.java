package newswatch.elasticsearch;

import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.common.settings.Settings;

/** Reads and checks the options that an index gives to an analysis component. */
final class Options {

    /** What Elasticsearch itself adds: {@code index} where a component is used by its name alone. */
    private static final Set<String> FROM_THE_SERVER = Set.of("type", "version", "index");

    private Options() {}

    /**
     * Refuses options that would be passed over in silence, so that a mapping never means less here than it says.
     *
     * @throws IllegalArgumentException naming the component, the options it does not know and those it knows
     */
    static void requireOnly(String kind, String name, Settings settings, Set<String> known) {
        Set<String> unknown = new TreeSet<>(settings.names());
        unknown.removeAll(known);
        unknown.removeAll(FROM_THE_SERVER);
        if (unknown.isEmpty() == false) {
            throw new IllegalArgumentException(
                kind + " [" + name + "] has options " + unknown + " that the embedded node does not support; it knows "
                    + new TreeSet<>(known)
            );
        }
    }

    /**
     * The option {@code pattern}, compiled with the option {@code flags}.
     *
     * @throws IllegalArgumentException there is none, and no default
     */
    static Pattern pattern(Settings settings, String defaultPattern) {
        String pattern = settings.get("pattern", defaultPattern);
        if (pattern == null) {
            throw new IllegalArgumentException("[pattern] is missing");
        }
        return Regex.compile(pattern, settings.get("flags"));
    }
}
