package org.elasticsearch.node;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

import newswatch.elasticsearch.CommonAnalysisPlugin;
import newswatch.elasticsearch.GuardedHttpPlugin;
import newswatch.elasticsearch.IndexSettingsPlugin;
import newswatch.elasticsearch.RootPlugin;

import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.plugins.ClassPathPlugins;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.plugins.PluginsLoader;
import org.elasticsearch.plugins.PluginsService;

/**
 * A whole Elasticsearch node whose server, transport and analysis come from the class path.
 *
 * <p>Usage: {@code EmbeddedNode HOME [setting=value]…}. HOME holds {@code config/}, {@code data/} and {@code logs/}.
 * The node runs until it is signalled or its standard input ends: whoever holds the other end of that pipe can't leave
 * it behind, however that process dies. It lives in this package because {@code NodeConstruction} is visible only here.
 */
public final class EmbeddedNode extends Node {

    private static final int CLOSE_TIMEOUT_S = 30;

    private EmbeddedNode(Environment environment, List<Plugin> plugins) {
        super(NodeConstruction.prepareConstruction(environment, ClassPathPlugins.emptyLoader(), with(plugins), true));
    }

    private static NodeServiceProvider with(List<Plugin> plugins) {
        return new NodeServiceProvider() {
            @Override
            PluginsService newPluginService(Environment environment, PluginsLoader loader) {
                return ClassPathPlugins.service(environment, loader, plugins);
            }
        };
    }

    public static void main(String[] arguments) throws Exception {
        try {
            Environment environment = environment(Path.of(arguments[0]), settings(arguments));
            LogConfigurator.configure(environment, true);
            Node node = new EmbeddedNode(
                environment,
                List.of(
                    new GuardedHttpPlugin(),
                    new CommonAnalysisPlugin(),
                    new RootPlugin(),
                    new IndexSettingsPlugin(environment.configDir())
                )
            );
            Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node), "close-node"));
            node.start();
        } catch (Throwable failure) {
            failure.printStackTrace();
            System.exit(1);
        }
        awaitEndOfInput();
        System.exit(0);
    }

    private static Map<String, String> settings(String[] arguments) {
        Map<String, String> settings = new LinkedHashMap<>();
        for (int i = 1; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            if (pair.length != 2) {
                throw new IllegalArgumentException("[" + arguments[i] + "] is no setting=value");
            }
            settings.put(pair[0], pair[1]);
        }
        return settings;
    }

    private static Environment environment(Path home, Map<String, String> settings) {
        LogConfigurator.configureESLogging();
        Settings base = Settings.builder().put(Environment.PATH_HOME_SETTING.getKey(), home).build();
        return InternalSettingsPreparer.prepareEnvironment(base, settings, home.resolve("config"), () -> "newswatch");
    }

    private static void awaitEndOfInput() throws IOException {
        while (System.in.read() >= 0) {
            // What is written to the pipe means nothing, only that it is still open.
        }
    }

    private static void close(Node node) {
        try {
            node.prepareForClose();
            node.close();
            node.awaitClose(CLOSE_TIMEOUT_S, TimeUnit.SECONDS);
        } catch (IOException | InterruptedException failure) {
            failure.printStackTrace();
        }
    }
}
