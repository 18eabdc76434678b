package newswatch.elasticsearch;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.elasticsearch.rest.RestRequest;

/**
 * Tells requests of programs on this machine from those that a browser sends for a web page.
 *
 * <p>A browser lets any page send requests to 127.0.0.1, and the node asks for no password. Two header fields that no
 * page can forge give it away (Fetch Standard, "forbidden request-header"): {@code Origin} names the page's origin on
 * every request that may change something, {@code Sec-Fetch-Site} its relation to us on the others. A third,
 * {@code Host}, gives away a page whose own host name was made to resolve to 127.0.0.1 (DNS rebinding): to the browser
 * that page and the node are then of one origin.
 */
final class Doorkeeper {

    private static final Set<String> OUR_NAMES = Set.of("127.0.0.1", "localhost", "[::1]");
    private static final Set<String> NO_OTHER_PAGE = Set.of("none", "same-origin");
    private static final Pattern AUTHORITY = Pattern.compile("(\\[[^\\]]*\\]|[^:\\[\\]]*)(?::\\d{1,5})?");

    private Doorkeeper() {}

    /** Why a request is refused, as a sentence; empty if it may pass. */
    static Optional<String> refusal(RestRequest request) {
        return refusal(
            request.getAllHeaderValues("Host"),
            request.getAllHeaderValues("Origin"),
            request.getAllHeaderValues("Sec-Fetch-Site")
        );
    }

    private static Optional<String> refusal(List<String> hosts, List<String> origins, List<String> sites) {
        if (count(hosts) != 1) {
            return Optional.of("The request has " + count(hosts) + " Host fields; this node wants one, which names this machine.");
        }
        if (isOurs(hosts.get(0)) == false) {
            return Optional.of(
                "The request is for the host [" + hosts.get(0) + "]; this node answers to 127.0.0.1, localhost and [::1] only."
            );
        }
        if (count(origins) > 0) {
            return Optional.of("The request comes from a web page of [" + origins.get(0) + "]; this node obeys no web page.");
        }
        if (count(sites) > 0 && NO_OTHER_PAGE.containsAll(sites) == false) {
            return Optional.of("The request comes from a web page of another site; this node obeys no web page.");
        }
        return Optional.empty();
    }

    private static int count(List<String> values) {
        return values == null ? 0 : values.size();
    }

    private static boolean isOurs(String host) {
        Matcher authority = AUTHORITY.matcher(host.strip());
        return authority.matches() && OUR_NAMES.contains(authority.group(1).toLowerCase(Locale.ROOT));
    }
}
