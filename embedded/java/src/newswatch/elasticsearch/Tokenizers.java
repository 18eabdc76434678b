package newswatch.elasticsearch;

import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;

import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.core.KeywordTokenizer;
import org.apache.lucene.analysis.core.LetterTokenizer;
import org.apache.lucene.analysis.core.WhitespaceTokenizer;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.pattern.PatternTokenizer;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;

/** Tokenizers of the full distribution, under its names and with its options; {@code standard} is in the server. */
final class Tokenizers {

    private static final int MAX_TOKEN_LENGTH = 255;

    private Tokenizers() {}

    static Map<String, AnalysisProvider<TokenizerFactory>> all() {
        return Map.of(
            "keyword",
            tokenizer(Set.of("buffer_size"), settings -> {
                int size = settings.getAsInt("buffer_size", KeywordTokenizer.DEFAULT_BUFFER_SIZE);
                return () -> new KeywordTokenizer(size);
            }),
            "letter",
            tokenizer(Set.of(), settings -> LetterTokenizer::new),
            "whitespace",
            tokenizer(Set.of("max_token_length"), settings -> {
                int length = settings.getAsInt("max_token_length", MAX_TOKEN_LENGTH);
                return () -> new WhitespaceTokenizer(length);
            }),
            "uax_url_email",
            tokenizer(Set.of("max_token_length"), settings -> {
                int length = settings.getAsInt("max_token_length", MAX_TOKEN_LENGTH);
                return () -> {
                    UAX29URLEmailTokenizer tokenizer = new UAX29URLEmailTokenizer();
                    tokenizer.setMaxTokenLength(length);
                    return tokenizer;
                };
            }),
            "pattern",
            tokenizer(Set.of("pattern", "flags", "group"), settings -> {
                Pattern pattern = Options.pattern(settings, "\\W+");
                int group = settings.getAsInt("group", -1);
                return () -> new PatternTokenizer(pattern, group);
            })
        );
    }

    private static AnalysisProvider<TokenizerFactory> tokenizer(
        Set<String> options,
        Function<Settings, Supplier<Tokenizer>> configuration
    ) {
        return (index, environment, name, settings) -> {
            Options.requireOnly("tokenizer", name, settings, options);
            return TokenizerFactory.newFactory(name, configuration.apply(settings));
        };
    }
}
