package newswatch.elasticsearch;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;

import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.CharArraySet;
import org.apache.lucene.analysis.ar.ArabicAnalyzer;
import org.apache.lucene.analysis.bg.BulgarianAnalyzer;
import org.apache.lucene.analysis.bn.BengaliAnalyzer;
import org.apache.lucene.analysis.br.BrazilianAnalyzer;
import org.apache.lucene.analysis.ca.CatalanAnalyzer;
import org.apache.lucene.analysis.cjk.CJKAnalyzer;
import org.apache.lucene.analysis.ckb.SoraniAnalyzer;
import org.apache.lucene.analysis.cz.CzechAnalyzer;
import org.apache.lucene.analysis.da.DanishAnalyzer;
import org.apache.lucene.analysis.de.GermanAnalyzer;
import org.apache.lucene.analysis.el.GreekAnalyzer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.es.SpanishAnalyzer;
import org.apache.lucene.analysis.et.EstonianAnalyzer;
import org.apache.lucene.analysis.eu.BasqueAnalyzer;
import org.apache.lucene.analysis.fa.PersianAnalyzer;
import org.apache.lucene.analysis.fi.FinnishAnalyzer;
import org.apache.lucene.analysis.fr.FrenchAnalyzer;
import org.apache.lucene.analysis.ga.IrishAnalyzer;
import org.apache.lucene.analysis.gl.GalicianAnalyzer;
import org.apache.lucene.analysis.hi.HindiAnalyzer;
import org.apache.lucene.analysis.hu.HungarianAnalyzer;
import org.apache.lucene.analysis.hy.ArmenianAnalyzer;
import org.apache.lucene.analysis.id.IndonesianAnalyzer;
import org.apache.lucene.analysis.it.ItalianAnalyzer;
import org.apache.lucene.analysis.lt.LithuanianAnalyzer;
import org.apache.lucene.analysis.lv.LatvianAnalyzer;
import org.apache.lucene.analysis.nl.DutchAnalyzer;
import org.apache.lucene.analysis.no.NorwegianAnalyzer;
import org.apache.lucene.analysis.pt.PortugueseAnalyzer;
import org.apache.lucene.analysis.ro.RomanianAnalyzer;
import org.apache.lucene.analysis.ru.RussianAnalyzer;
import org.apache.lucene.analysis.sr.SerbianAnalyzer;
import org.apache.lucene.analysis.sv.SwedishAnalyzer;
import org.apache.lucene.analysis.th.ThaiAnalyzer;
import org.apache.lucene.analysis.th.ThaiTokenizer;
import org.apache.lucene.analysis.tr.TurkishAnalyzer;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.index.analysis.Analysis;

/** The language analyzers of the full distribution: their names, and the Lucene analyzer each stands for. */
final class LanguageAnalyzers {

    private static final Map<String, Language> LANGUAGES = new LinkedHashMap<>();

    static {
        add("arabic", ArabicAnalyzer::getDefaultStopSet, ArabicAnalyzer::new);
        add("armenian", ArmenianAnalyzer::getDefaultStopSet, ArmenianAnalyzer::new);
        add("basque", BasqueAnalyzer::getDefaultStopSet, BasqueAnalyzer::new);
        add("bengali", BengaliAnalyzer::getDefaultStopSet, BengaliAnalyzer::new);
        add("brazilian", BrazilianAnalyzer::getDefaultStopSet, BrazilianAnalyzer::new);
        add("bulgarian", BulgarianAnalyzer::getDefaultStopSet, BulgarianAnalyzer::new);
        add("catalan", CatalanAnalyzer::getDefaultStopSet, CatalanAnalyzer::new);
        addUnstemmed("cjk", CJKAnalyzer::getDefaultStopSet, CJKAnalyzer::new);
        add("czech", CzechAnalyzer::getDefaultStopSet, CzechAnalyzer::new);
        add("danish", DanishAnalyzer::getDefaultStopSet, DanishAnalyzer::new);
        add("dutch", DutchAnalyzer::getDefaultStopSet, DutchAnalyzer::new);
        add("english", EnglishAnalyzer::getDefaultStopSet, EnglishAnalyzer::new);
        add("estonian", EstonianAnalyzer::getDefaultStopSet, EstonianAnalyzer::new);
        add("finnish", FinnishAnalyzer::getDefaultStopSet, FinnishAnalyzer::new);
        add("french", FrenchAnalyzer::getDefaultStopSet, FrenchAnalyzer::new);
        add("galician", GalicianAnalyzer::getDefaultStopSet, GalicianAnalyzer::new);
        add("german", GermanAnalyzer::getDefaultStopSet, GermanAnalyzer::new);
        addUnstemmed("greek", GreekAnalyzer::getDefaultStopSet, GreekAnalyzer::new);
        add("hindi", HindiAnalyzer::getDefaultStopSet, HindiAnalyzer::new);
        add("hungarian", HungarianAnalyzer::getDefaultStopSet, HungarianAnalyzer::new);
        add("indonesian", IndonesianAnalyzer::getDefaultStopSet, IndonesianAnalyzer::new);
        add("irish", IrishAnalyzer::getDefaultStopSet, IrishAnalyzer::new);
        add("italian", ItalianAnalyzer::getDefaultStopSet, ItalianAnalyzer::new);
        add("latvian", LatvianAnalyzer::getDefaultStopSet, LatvianAnalyzer::new);
        add("lithuanian", LithuanianAnalyzer::getDefaultStopSet, LithuanianAnalyzer::new);
        add("norwegian", NorwegianAnalyzer::getDefaultStopSet, NorwegianAnalyzer::new);
        addUnstemmed("persian", PersianAnalyzer::getDefaultStopSet, PersianAnalyzer::new);
        add("portuguese", PortugueseAnalyzer::getDefaultStopSet, PortugueseAnalyzer::new);
        add("romanian", RomanianAnalyzer::getDefaultStopSet, RomanianAnalyzer::new);
        add("russian", RussianAnalyzer::getDefaultStopSet, RussianAnalyzer::new);
        add("serbian", SerbianAnalyzer::getDefaultStopSet, SerbianAnalyzer::new);
        add("sorani", SoraniAnalyzer::getDefaultStopSet, SoraniAnalyzer::new);
        add("spanish", SpanishAnalyzer::getDefaultStopSet, SpanishAnalyzer::new);
        add("swedish", SwedishAnalyzer::getDefaultStopSet, SwedishAnalyzer::new);
        if (ThaiTokenizer.DBBI_AVAILABLE) { // needs the runtime's Thai dictionary, which smaller ones lack
            addUnstemmed("thai", ThaiAnalyzer::getDefaultStopSet, ThaiAnalyzer::new);
        }
        add("turkish", TurkishAnalyzer::getDefaultStopSet, TurkishAnalyzer::new);
    }

    private LanguageAnalyzers() {}

    static Set<String> names() {
        return LANGUAGES.keySet();
    }

    /** The analyzer {@code language} as it is when a mapping just names it. */
    static Analyzer withDefaults(String language) {
        Language known = LANGUAGES.get(language);
        return known.constructor.create(known.stopWords.get(), CharArraySet.EMPTY_SET);
    }

    /** The analyzer {@code language} with the index's own {@code stopwords}, {@code stopwords_path}, {@code stem_exclusion}. */
    static Analyzer configured(String language, Environment environment, String name, Settings settings) {
        Language known = LANGUAGES.get(language);
        Set<String> options = known.takesExclusions
            ? Set.of("stopwords", "stopwords_path", "stem_exclusion")
            : Set.of("stopwords", "stopwords_path");
        Options.requireOnly("analyzer", name, settings, options);
        return known.constructor.create(
            Analysis.parseStopWords(environment, settings, known.stopWords.get()),
            Analysis.parseStemExclusion(settings, CharArraySet.EMPTY_SET)
        );
    }

    private static void add(String name, Supplier<CharArraySet> stopWords, Constructor constructor) {
        LANGUAGES.put(name, new Language(stopWords, constructor, true));
    }

    /** For a language whose analyzer in the full distribution takes no words to be kept from stemming. */
    private static void addUnstemmed(String name, Supplier<CharArraySet> stopWords, Function<CharArraySet, Analyzer> constructor) {
        LANGUAGES.put(name, new Language(stopWords, (stop, exclusions) -> constructor.apply(stop), false));
    }

    @FunctionalInterface
    private interface Constructor {
        Analyzer create(CharArraySet stopWords, CharArraySet exclusions);
    }

    private record Language(Supplier<CharArraySet> stopWords, Constructor constructor, boolean takesExclusions) {}
}
