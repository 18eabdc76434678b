package newswatch.elasticsearch;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

import org.apache.lucene.analysis.CharArraySet;
import org.apache.lucene.analysis.LowerCaseFilter;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.ar.ArabicNormalizationFilter;
import org.apache.lucene.analysis.ar.ArabicStemFilter;
import org.apache.lucene.analysis.bn.BengaliNormalizationFilter;
import org.apache.lucene.analysis.br.BrazilianStemFilter;
import org.apache.lucene.analysis.cjk.CJKBigramFilter;
import org.apache.lucene.analysis.cjk.CJKWidthFilter;
import org.apache.lucene.analysis.ckb.SoraniNormalizationFilter;
import org.apache.lucene.analysis.core.DecimalDigitFilter;
import org.apache.lucene.analysis.core.UpperCaseFilter;
import org.apache.lucene.analysis.cz.CzechStemFilter;
import org.apache.lucene.analysis.de.GermanNormalizationFilter;
import org.apache.lucene.analysis.el.GreekLowerCaseFilter;
import org.apache.lucene.analysis.en.KStemFilter;
import org.apache.lucene.analysis.en.PorterStemFilter;
import org.apache.lucene.analysis.fa.PersianNormalizationFilter;
import org.apache.lucene.analysis.fa.PersianStemFilter;
import org.apache.lucene.analysis.ga.IrishLowerCaseFilter;
import org.apache.lucene.analysis.hi.HindiNormalizationFilter;
import org.apache.lucene.analysis.in.IndicNormalizationFilter;
import org.apache.lucene.analysis.miscellaneous.ASCIIFoldingFilter;
import org.apache.lucene.analysis.miscellaneous.LengthFilter;
import org.apache.lucene.analysis.miscellaneous.LimitTokenCountFilter;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.miscellaneous.ScandinavianFoldingFilter;
import org.apache.lucene.analysis.miscellaneous.ScandinavianNormalizationFilter;
import org.apache.lucene.analysis.miscellaneous.SetKeywordMarkerFilter;
import org.apache.lucene.analysis.miscellaneous.TrimFilter;
import org.apache.lucene.analysis.miscellaneous.TruncateTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.apache.lucene.analysis.pattern.PatternReplaceFilter;
import org.apache.lucene.analysis.reverse.ReverseStringFilter;
import org.apache.lucene.analysis.sr.SerbianNormalizationFilter;
import org.apache.lucene.analysis.tr.ApostropheFilter;
import org.apache.lucene.analysis.tr.TurkishLowerCaseFilter;
import org.apache.lucene.analysis.util.ElisionFilter;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.Analysis;
import org.elasticsearch.index.analysis.NormalizingTokenFilterFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;

/** Token filters of the full distribution, under its names and with its options. */
final class TokenFilters {

    private final Map<String, AnalysisProvider<TokenFilterFactory>> filters = new TreeMap<>();

    private TokenFilters() {}

    static Map<String, AnalysisProvider<TokenFilterFactory>> all() {
        TokenFilters registry = new TokenFilters();
        registry.addNormalizing();
        registry.addStemming();
        registry.addOthers();
        return registry.filters;
    }

    /** Filters that change characters only: those may stand in the normalizer of a keyword field too. */
    private void addNormalizing() {
        add("arabic_normalization", Use.NORMALIZING, ArabicNormalizationFilter::new);
        add("bengali_normalization", Use.NORMALIZING, BengaliNormalizationFilter::new);
        add("cjk_width", Use.NORMALIZING, CJKWidthFilter::new);
        add("decimal_digit", Use.NORMALIZING, DecimalDigitFilter::new);
        add("german_normalization", Use.NORMALIZING, GermanNormalizationFilter::new);
        add("hindi_normalization", Use.NORMALIZING, HindiNormalizationFilter::new);
        add("indic_normalization", Use.NORMALIZING, IndicNormalizationFilter::new);
        add("persian_normalization", Use.NORMALIZING, PersianNormalizationFilter::new);
        add("scandinavian_folding", Use.NORMALIZING, ScandinavianFoldingFilter::new);
        add("scandinavian_normalization", Use.NORMALIZING, ScandinavianNormalizationFilter::new);
        add("serbian_normalization", Use.NORMALIZING, SerbianNormalizationFilter::new);
        add("sorani_normalization", Use.NORMALIZING, SoraniNormalizationFilter::new);
        add("trim", Use.NORMALIZING, TrimFilter::new);
        add("uppercase", Use.NORMALIZING, UpperCaseFilter::new);
        add("asciifolding", Use.NORMALIZING, Set.of("preserve_original"), (environment, settings) -> {
            boolean preserve = settings.getAsBoolean("preserve_original", false);
            return input -> new ASCIIFoldingFilter(input, preserve);
        });
        add("lowercase", Use.NORMALIZING, Set.of("language"), (environment, settings) -> lowercase(settings.get("language")));
        add("elision", Use.NEEDS_SETTINGS_NORMALIZING, Set.of("articles", "articles_path", "articles_case"), (environment, settings) -> {
            CharArraySet articles = Analysis.parseArticles(environment, settings);
            if (articles == null) {
                throw new IllegalArgumentException("token filter [elision] needs [articles] or [articles_path]");
            }
            return input -> new ElisionFilter(input, articles);
        });
        add(
            "pattern_replace",
            Use.NEEDS_SETTINGS_NORMALIZING,
            Set.of("pattern", "replacement", "all", "flags"),
            (environment, settings) -> {
                Pattern pattern = Options.pattern(settings, null);
                String replacement = settings.get("replacement", "");
                boolean all = settings.getAsBoolean("all", true);
                return input -> new PatternReplaceFilter(input, pattern, replacement, all);
            }
        );
    }

    private void addStemming() {
        add("arabic_stem", Use.ANALYZING, ArabicStemFilter::new);
        add("brazilian_stem", Use.ANALYZING, BrazilianStemFilter::new);
        add("czech_stem", Use.ANALYZING, CzechStemFilter::new);
        add("dutch_stem", Use.ANALYZING, Stemmers.snowball("dutch"));
        add("french_stem", Use.ANALYZING, Stemmers.snowball("french"));
        add("kstem", Use.ANALYZING, KStemFilter::new);
        add("persian_stem", Use.ANALYZING, PersianStemFilter::new);
        add("porter_stem", Use.ANALYZING, PorterStemFilter::new);
        add("russian_stem", Use.ANALYZING, Stemmers.snowball("russian"));
        add(
            "stemmer",
            Use.ANALYZING,
            Set.of("language", "name"),
            (environment, settings) -> Stemmers.named(settings.get("language", settings.get("name", "porter")))
        );
        add(
            "snowball",
            Use.ANALYZING,
            Set.of("language", "name"),
            (environment, settings) -> Stemmers.snowball(settings.get("language", settings.get("name", "english")))
        );
        add(
            "keyword_marker",
            Use.NEEDS_SETTINGS,
            Set.of("keywords", "keywords_path", "ignore_case"),
            (environment, settings) -> {
                CharArraySet words = Analysis.getWordSet(environment, settings, "keywords");
                if (words == null) {
                    throw new IllegalArgumentException("token filter [keyword_marker] needs [keywords] or [keywords_path]");
                }
                CharArraySet keywords = new CharArraySet(words, settings.getAsBoolean("ignore_case", false));
                return input -> new SetKeywordMarkerFilter(input, keywords);
            }
        );
    }

    private void addOthers() {
        add("apostrophe", Use.ANALYZING, ApostropheFilter::new);
        add("remove_duplicates", Use.ANALYZING, RemoveDuplicatesTokenFilter::new);
        add("reverse", Use.ANALYZING, ReverseStringFilter::new);
        add("cjk_bigram", Use.ANALYZING, Set.of("output_unigrams"), (environment, settings) -> {
            int everyScript = CJKBigramFilter.HAN | CJKBigramFilter.HIRAGANA | CJKBigramFilter.KATAKANA | CJKBigramFilter.HANGUL;
            boolean unigrams = settings.getAsBoolean("output_unigrams", false);
            return input -> new CJKBigramFilter(input, everyScript, unigrams);
        });
        add("length", Use.ANALYZING, Set.of("min", "max"), (environment, settings) -> {
            int min = settings.getAsInt("min", 0);
            int max = settings.getAsInt("max", Integer.MAX_VALUE);
            return input -> new LengthFilter(input, min, max);
        });
        add("limit", Use.ANALYZING, Set.of("max_token_count", "consume_all_tokens"), (environment, settings) -> {
            int count = settings.getAsInt("max_token_count", 1);
            boolean all = settings.getAsBoolean("consume_all_tokens", false);
            return input -> new LimitTokenCountFilter(input, count, all);
        });
        add("pattern_capture", Use.NEEDS_SETTINGS, Set.of("patterns", "preserve_original"), (environment, settings) -> {
            Pattern[] patterns = settings.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
            if (patterns.length == 0) {
                throw new IllegalArgumentException("token filter [pattern_capture] needs [patterns]");
            }
            boolean preserve = settings.getAsBoolean("preserve_original", true);
            return input -> new PatternCaptureGroupTokenFilter(input, preserve, patterns);
        });
        add("truncate", Use.NEEDS_SETTINGS, Set.of("length"), (environment, settings) -> {
            int length = settings.getAsInt("length", -1);
            return input -> TruncateTokenFilter.truncateAfterChars(input, length);
        });
    }

    private static UnaryOperator<TokenStream> lowercase(String language) {
        return switch (language == null ? "" : language) {
            case "" -> LowerCaseFilter::new;
            case "greek" -> GreekLowerCaseFilter::new;
            case "irish" -> IrishLowerCaseFilter::new;
            case "turkish" -> TurkishLowerCaseFilter::new;
            default -> throw new IllegalArgumentException("token filter [lowercase] knows no language [" + language + "]");
        };
    }

    private void add(String name, Use use, UnaryOperator<TokenStream> filter) {
        add(name, use, Set.of(), (environment, settings) -> filter);
    }

    private void add(String type, Use use, Set<String> options, Configuration configuration) {
        AnalysisProvider<TokenFilterFactory> provider = (index, environment, name, settings) -> {
            Options.requireOnly("token filter", name, settings, options);
            UnaryOperator<TokenStream> filter = configuration.read(environment, settings);
            return use.normalizing ? new NormalizingFactory(name, filter) : new Factory(name, filter);
        };
        filters.put(type, use.needsSettings ? AnalysisPlugin.requiresAnalysisSettings(provider) : provider);
    }

    private enum Use {
        ANALYZING(false, false),
        NORMALIZING(true, false),
        NEEDS_SETTINGS(false, true),
        NEEDS_SETTINGS_NORMALIZING(true, true);

        private final boolean normalizing;
        private final boolean needsSettings;

        Use(boolean normalizing, boolean needsSettings) {
            this.normalizing = normalizing;
            this.needsSettings = needsSettings;
        }
    }

    @FunctionalInterface
    private interface Configuration {
        UnaryOperator<TokenStream> read(Environment environment, Settings settings);
    }

    private static class Factory extends AbstractTokenFilterFactory {

        private final UnaryOperator<TokenStream> filter;

        Factory(String name, UnaryOperator<TokenStream> filter) {
            super(name);
            this.filter = filter;
        }

        @Override
        public TokenStream create(TokenStream input) {
            return filter.apply(input);
        }
    }

    private static final class NormalizingFactory extends Factory implements NormalizingTokenFilterFactory {

        NormalizingFactory(String name, UnaryOperator<TokenStream> filter) {
            super(name, filter);
        }
    }
}
