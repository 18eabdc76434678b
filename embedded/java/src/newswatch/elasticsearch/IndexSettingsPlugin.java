package newswatch.elasticsearch;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.plugins.Plugin;

/**
 * Knows the analysis settings that {@code config/index-settings} lists, one name a line, each as a setting of its own.
 *
 * <p>Elasticsearch knows only the group {@code index.analysis.*}, and to check one setting of a group it copies the whole
 * group: the time to create an index grows with the square of their number. A setting of its own is checked by itself.
 * What it may hold is found out where analyzers are built, as before; names that the file lacks belong to the group.
 */
public final class IndexSettingsPlugin extends Plugin {

    private final Path names;

    public IndexSettingsPlugin(Path config) {
        names = config.resolve("index-settings");
    }

    @Override
    public List<Setting<?>> getSettings() {
        try {
            return Files.exists(names) ? Files.readAllLines(names).stream().<Setting<?>>map(IndexSettingsPlugin::setting).toList() : List.of();
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private static Setting<String> setting(String name) {
        return Setting.simpleString(name, Setting.Property.IndexScope);
    }
}
