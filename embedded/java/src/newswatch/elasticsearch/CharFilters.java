package newswatch.elasticsearch;

import java.io.Reader;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

import org.apache.lucene.analysis.charfilter.HTMLStripCharFilter;
import org.apache.lucene.analysis.charfilter.MappingCharFilter;
import org.apache.lucene.analysis.charfilter.NormalizeCharMap;
import org.apache.lucene.analysis.pattern.PatternReplaceCharFilter;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.index.analysis.AbstractCharFilterFactory;
import org.elasticsearch.index.analysis.Analysis;
import org.elasticsearch.index.analysis.CharFilterFactory;
import org.elasticsearch.index.analysis.NormalizingCharFilterFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;

/** Character filters of the full distribution, under its names and with its options. */
final class CharFilters {

    private CharFilters() {}

    static Map<String, AnalysisProvider<CharFilterFactory>> all() {
        return Map.of(
            "html_strip",
            (index, environment, name, settings) -> htmlStrip(name, settings),
            "mapping",
            AnalysisPlugin.requiresAnalysisSettings((index, environment, name, settings) -> mapping(environment, name, settings)),
            "pattern_replace",
            AnalysisPlugin.requiresAnalysisSettings((index, environment, name, settings) -> patternReplace(name, settings))
        );
    }

    private static CharFilterFactory htmlStrip(String name, Settings settings) {
        Options.requireOnly("char filter", name, settings, Set.of("escaped_tags"));
        Set<String> kept = new HashSet<>(settings.getAsList("escaped_tags"));
        return new Factory(name, input -> new HTMLStripCharFilter(input, kept));
    }

    private static CharFilterFactory mapping(Environment environment, String name, Settings settings) {
        Options.requireOnly("char filter", name, settings, Set.of("mappings", "mappings_path"));
        List<String> rules = Analysis.getWordList(environment, settings, "mappings");
        if (rules == null) {
            throw new IllegalArgumentException("char filter [" + name + "] needs [mappings] or [mappings_path]");
        }
        NormalizeCharMap.Builder map = new NormalizeCharMap.Builder();
        for (String rule : rules) {
            String[] sides = rule.split("=>", 2);
            if (sides.length != 2 || sides[0].isBlank()) {
                throw new IllegalArgumentException("char filter [" + name + "]: [" + rule + "] is not of the form from => to");
            }
            map.add(sides[0].strip(), sides[1].strip());
        }
        NormalizeCharMap built = map.build();
        return new NormalizingFactory(name, input -> new MappingCharFilter(built, input));
    }

    private static CharFilterFactory patternReplace(String name, Settings settings) {
        Options.requireOnly("char filter", name, settings, Set.of("pattern", "replacement", "flags"));
        Pattern pattern = Options.pattern(settings, null);
        String replacement = settings.get("replacement", "");
        return new NormalizingFactory(name, input -> new PatternReplaceCharFilter(pattern, replacement, input));
    }

    private static class Factory extends AbstractCharFilterFactory {

        private final UnaryOperator<Reader> filter;

        Factory(String name, UnaryOperator<Reader> filter) {
            super(name);
            this.filter = filter;
        }

        @Override
        public Reader create(Reader input) {
            return filter.apply(input);
        }
    }

    private static final class NormalizingFactory extends Factory implements NormalizingCharFilterFactory {

        NormalizingFactory(String name, UnaryOperator<Reader> filter) {
            super(name, filter);
        }
    }
}
