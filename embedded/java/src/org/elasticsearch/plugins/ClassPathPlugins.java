package org.elasticsearch.plugins;

import java.util.List;
import java.util.Map;
import java.util.Set;

import org.elasticsearch.Build;
import org.elasticsearch.env.Environment;

/**
 * Plugins that are handed over as objects instead of being loaded from directories.
 *
 * <p>Elasticsearch loads each plugin from its own directory into its own module layer, which needs JDK modules that the
 * small runtime lacks. Here everything is on one class path, so there is nothing to load. The class lives in this
 * package because {@link PluginsLoader}'s constructor and {@code LoadedPlugin} are visible only here.
 */
public final class ClassPathPlugins {

    private ClassPathPlugins() {}

    /** A loader that has found no plugin directories. */
    public static PluginsLoader emptyLoader() {
        return new PluginsLoader(Set.of(), Set.of(), Map.of());
    }

    /** A service that offers {@code plugins} to the node. */
    public static PluginsService service(Environment environment, PluginsLoader loader, List<Plugin> plugins) {
        List<PluginsService.LoadedPlugin> loaded = plugins.stream()
            .map(plugin -> new PluginsService.LoadedPlugin(describe(plugin), plugin, plugin.getClass().getClassLoader()))
            .toList();
        return new PluginsService(environment.settings(), environment.configDir(), loader) {
            @Override
            protected List<LoadedPlugin> plugins() {
                return loaded;
            }
        };
    }

    private static PluginDescriptor describe(Plugin plugin) {
        String version = Build.current().version();
        return new PluginDescriptor(
            plugin.getClass().getSimpleName(),
            "on the class path",
            version,
            version,
            String.valueOf(Runtime.version().feature()),
            plugin.getClass().getName(),
            null,
            List.of(),
            false,
            false,
            false,
            false,
            PluginDescriptor.DeploymentTarget.ALL
        );
    }
}
