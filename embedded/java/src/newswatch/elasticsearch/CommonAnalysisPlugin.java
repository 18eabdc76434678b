package newswatch.elasticsearch;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.fr.FrenchAnalyzer;
import org.apache.lucene.analysis.util.ElisionFilter;
import org.elasticsearch.index.analysis.AbstractIndexAnalyzerProvider;
import org.elasticsearch.index.analysis.AnalyzerProvider;
import org.elasticsearch.index.analysis.CharFilterFactory;
import org.elasticsearch.index.analysis.PreBuiltAnalyzerProviderFactory;
import org.elasticsearch.index.analysis.PreConfiguredTokenFilter;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.indices.analysis.PreBuiltCacheFactory.CachingStrategy;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;

/**
 * Lucene's analysis components under the names they have in the full Elasticsearch distribution.
 *
 * <p>There they come from the module {@code analysis-common}, which is not published as an artefact. One mapping serves
 * both as long as it uses the names that are registered here. {@code standard}, {@code stop}, {@code shingle} and
 * {@code hunspell} are in the server already.
 */
public final class CommonAnalysisPlugin extends Plugin implements AnalysisPlugin {

    @Override
    public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
        Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> analyzers = new TreeMap<>();
        for (String language : LanguageAnalyzers.names()) {
            analyzers.put(
                language,
                (index, environment, name, settings) -> new Provider(
                    name,
                    LanguageAnalyzers.configured(language, environment, name, settings)
                )
            );
        }
        return analyzers;
    }

    @Override
    public List<PreBuiltAnalyzerProviderFactory> getPreBuiltAnalyzerProviderFactories() {
        return LanguageAnalyzers.names()
            .stream()
            .map(
                name -> new PreBuiltAnalyzerProviderFactory(
                    name,
                    CachingStrategy.LUCENE,
                    () -> LanguageAnalyzers.withDefaults(name)
                )
            )
            .toList();
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return TokenFilters.all();
    }

    /** What the distribution's {@code elision} removes where no index has configured it: French articles. */
    @Override
    public List<PreConfiguredTokenFilter> getPreConfiguredTokenFilters() {
        boolean normalizing = true;
        return List.of(
            PreConfiguredTokenFilter.singleton(
                "elision",
                normalizing,
                input -> new ElisionFilter(input, FrenchAnalyzer.DEFAULT_ARTICLES)
            )
        );
    }

    @Override
    public Map<String, AnalysisProvider<CharFilterFactory>> getCharFilters() {
        return CharFilters.all();
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Tokenizers.all();
    }

    private static final class Provider extends AbstractIndexAnalyzerProvider<Analyzer> {

        private final Analyzer analyzer;

        Provider(String name, Analyzer analyzer) {
            super(name);
            this.analyzer = analyzer;
        }

        @Override
        public Analyzer get() {
            return analyzer;
        }
    }
}
