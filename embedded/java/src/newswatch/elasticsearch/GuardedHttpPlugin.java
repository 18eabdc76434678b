package newswatch.elasticsearch;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

import org.elasticsearch.ElasticsearchStatusException;
import org.elasticsearch.common.network.NetworkService;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.util.BigArrays;
import org.elasticsearch.common.util.PageCacheRecycler;
import org.elasticsearch.common.util.concurrent.ThreadContext;
import org.elasticsearch.http.HttpPreRequest;
import org.elasticsearch.http.HttpRouteStats;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.http.HttpServerTransport.Dispatcher;
import org.elasticsearch.indices.breaker.CircuitBreakerService;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.telemetry.TelemetryProvider;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.netty4.Netty4Plugin;
import org.elasticsearch.xcontent.NamedXContentRegistry;

/**
 * The published HTTP server with a {@link Doorkeeper} before it: every request passes it before a handler is chosen.
 *
 * <p>It wraps the dispatcher, since Elasticsearch takes a {@code RestInterceptor} from its own plugins only.
 */
public final class GuardedHttpPlugin extends Netty4Plugin {

    @Override
    public Map<String, Supplier<HttpServerTransport>> getHttpTransports(
        Settings settings,
        ThreadPool threadPool,
        BigArrays bigArrays,
        PageCacheRecycler pageCacheRecycler,
        CircuitBreakerService circuitBreakerService,
        NamedXContentRegistry xContentRegistry,
        NetworkService networkService,
        Dispatcher dispatcher,
        BiConsumer<HttpPreRequest, ThreadContext> perRequestThreadContext,
        ClusterSettings clusterSettings,
        TelemetryProvider telemetry
    ) {
        return super.getHttpTransports(
            settings,
            threadPool,
            bigArrays,
            pageCacheRecycler,
            circuitBreakerService,
            xContentRegistry,
            networkService,
            new Guarded(dispatcher),
            perRequestThreadContext,
            clusterSettings,
            telemetry
        );
    }

    private record Guarded(Dispatcher dispatcher) implements Dispatcher {

        @Override
        public void dispatchRequest(RestRequest request, RestChannel channel, ThreadContext context) {
            Optional<String> refusal = Doorkeeper.refusal(request);
            if (refusal.isPresent()) {
                refuse(channel, refusal.get());
            } else {
                dispatcher.dispatchRequest(request, channel, context);
            }
        }

        /** For what is no HTTP: it is answered with an error, and nothing is done. */
        @Override
        public void dispatchBadRequest(RestChannel channel, ThreadContext context, Throwable cause) {
            dispatcher.dispatchBadRequest(channel, context, cause);
        }

        @Override
        public Map<String, HttpRouteStats> getStats() {
            return dispatcher.getStats();
        }

        private static void refuse(RestChannel channel, String sentence) {
            try {
                channel.sendResponse(new RestResponse(channel, new ElasticsearchStatusException(sentence, RestStatus.FORBIDDEN)));
            } catch (IOException impossible) {
                throw new UncheckedIOException(impossible);
            }
        }
    }
}
