package newswatch.elasticsearch;

import java.util.Set;
import java.util.TreeSet;

import org.elasticsearch.common.settings.Settings;

/** Checks the options that an index gives to an analysis component. */
final class Options {

    private Options() {}

    /**
     * Refuses options that would be passed over in silence, so that a mapping never means less here than it says.
     *
     * @throws IllegalArgumentException naming the component, the options it does not know and those it knows
     */
    static void requireOnly(String kind, String name, Settings settings, Set<String> known) {
        Set<String> unknown = new TreeSet<>(settings.names());
        unknown.removeAll(known);
        unknown.removeAll(Set.of("type", "version"));
        if (unknown.isEmpty() == false) {
            throw new IllegalArgumentException(
                kind + " [" + name + "] has options " + unknown + " that the embedded node does not support; it knows "
                    + new TreeSet<>(known)
            );
        }
    }
}
